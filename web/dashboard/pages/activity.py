"""Who did what, from a log that shows whether somebody changed it; and the runs on dead letters."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..desk import Desk
from ..sessions.rights import Permission


def routes(desk: Desk) -> Sequence[BaseRoute]:
    @desk.open_to(Permission.VIEW)
    def activity(request: Request) -> Response:
        chain = desk.actions.chain
        return desk.render(
            request,
            "activity.html",
            chain=chain,
            actions=list(reversed(chain.last))[:100],
            runs=desk.runs.newest(),
        )

    return [Route("/activity", activity)]
