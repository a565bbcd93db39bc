"""The first page: all queues, the most frequent errors, the last actions."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..charts import charts
from ..desk import Desk
from ..sessions.rights import Permission


def routes(desk: Desk) -> Sequence[BaseRoute]:
    @desk.open_to(Permission.VIEW)
    def overview(request: Request) -> Response:
        desk.first_look()
        letters = desk.letters
        return desk.render(
            request,
            "overview.html",
            snapshot=desk.snapshots.latest,
            dead=letters.counts,
            built=letters.built,
            charts=charts(desk.snapshots.latest.history, "detail") if desk.snapshots.latest else [],
            runs=[run for run in desk.runs.newest() if run.is_active],
            groups=letters.groups,
            is_counted=letters.is_counted,
        )

    return [Route("/", overview)]
