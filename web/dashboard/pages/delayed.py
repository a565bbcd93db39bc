"""The jobs that wait for their time, those that are due first."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from workers.delays import waiting_jobs
from workers.delays.waiting_jobs import DelayedJob

from ..desk import Desk
from ..sessions.rights import Permission

_SHOWN = 100
#: So many delayed jobs are looked at for a page: each is read from its topic.
_MOST = 20_000
#: For so many requests at a time.
_AT_ONCE = 2


def routes(desk: Desk) -> Sequence[BaseRoute]:
    @desk.open_to(Permission.VIEW, at_once=_AT_ONCE)
    def delayed(request: Request) -> Response:
        broker = desk.broker
        queue = request.query_params.get("queue", "")
        looked_at = 0

        def wanted() -> Iterator[DelayedJob]:
            nonlocal looked_at
            for looked_at, job in enumerate(
                waiting_jobs.read(broker.cluster, broker.topics, broker.delay_tiers), 1
            ):
                if queue in {"", job.queue}:
                    yield job
                if looked_at == _MOST:
                    return

        first = heapq.nsmallest(_SHOWN, wanted(), key=lambda job: job.eta_ms)
        return desk.render(
            request,
            "delayed.html",
            jobs=first,
            queue=queue,
            queues=sorted(broker.queues),
            is_partial=looked_at == _MOST,
        )

    return [Route("/delayed", delayed)]
