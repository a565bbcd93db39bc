"""The worker processes and what runs in them; why one job waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from workers.errors import WrongUsage
from workers.operations.job_state import why

from ..desk import Desk
from ..sessions.rights import Permission

_MAX_ID_CHARS, _MAX_JOBS = 300, 100


def routes(desk: Desk) -> Sequence[BaseRoute]:
    @desk.open_to(Permission.VIEW)
    def workers(request: Request) -> Response:
        desk.first_look()
        snapshot = desk.snapshots.latest
        return desk.render(
            request,
            "workers.html",
            snapshot=snapshot,
            silent={one.name for one in snapshot.silent} if snapshot else set(),
            at_work=[job for one in snapshot.running for job in one.jobs][:_MAX_JOBS] if snapshot else [],
        )

    @desk.open_to(Permission.VIEW)
    def job(request: Request) -> Response:
        job_id = request.query_params.get("id", "").strip()
        if len(job_id) > _MAX_ID_CHARS:
            raise WrongUsage(f"an id has at most {_MAX_ID_CHARS} characters, not {len(job_id):,}")
        found = why(desk.broker, job_id) if job_id else None
        return desk.render(
            request, "job.html", id=job_id, why=found, facts=dict(asdict(found)["facts"]) if found else {}
        )

    return [Route("/workers", workers), Route("/jobs", job)]
