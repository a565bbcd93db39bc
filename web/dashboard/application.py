"""Puts a dashboard together: an ASGI application that is mounted in another one."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Collection, Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from web.access import Access
from workers.application import all_additions
from workers.broker.kafka_broker import KafkaBroker

from .desk import Desk, Pages
from .page import HERE
from .pages import (
    activity,
    controls,
    dead_letters,
    delayed,
    letter,
    live,
    login,
    overview,
    queues,
    runs,
    workers,
)
from .sessions.codes import OneTimeCodes
from .sessions.cookie import SessionCookies
from .sessions.guard import Guard

logger = logging.getLogger(__name__)

_SCREENS = (overview, queues, controls, delayed, dead_letters, letter, runs, workers, activity)
#: The group of entry points that name the pages which installed applications add.
GROUP = "todo_workers.dashboard"
#: Fields of arguments whose values are shown to admins alone.
MASKED = ("password", "passwd", "secret", "token", "api_key", "authorization")


class Dashboard:
    """The dashboard of one application, to be mounted in an ASGI application. See :func:`dashboard`."""

    def __init__(
        self, desk: Desk, access: Access | None, codes: OneTimeCodes | None, origins: Collection[str]
    ) -> None:
        self.desk = desk
        self._closed = False
        routes = [
            Mount("/static", StaticFiles(directory=HERE / "static")),
            *login.routes(desk, access, codes),
            *live.routes(desk, lambda: self._closed),
            *(route for screen in _SCREENS for route in screen.routes(desk)),
            *(route for pages in desk.pages for route in pages.routes(desk)),
        ]

        async def not_found(request: Request, _error: Exception) -> Response:
            request.state.viewer = desk.viewer(request)
            return desk.say(request, "There is no such page", "Its address is wrong, or it is gone.", 404)

        app = Starlette(routes=routes, exception_handlers={404: not_found})
        self._app = Guard(app, only_local=codes is not None, origins=origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def end_streams(self) -> None:
        """End the live streams; a server that stops waits for them. Does not block."""
        self._closed = True

    def close(self) -> None:
        """End the live streams and the threads. Call it when the application stops. Blocks for a moment."""
        self.end_streams()
        self.desk.close()


def dashboard(
    broker: KafkaBroker,
    *,
    access: Access | None = None,
    code: str | None = None,
    session_secret: str | None = None,
    read_only: bool = False,
    masked: Collection[str] = MASKED,
    origins: Collection[str] = (),
    pages: Sequence[Pages] = (),
) -> Dashboard:
    """Make the dashboard of an application: ``app.mount("/workers", dashboard(broker))``. Does no I/O,
    but for its templates, which it reads and compiles.

    It reads from Kafka on threads of its own, and only while somebody looks.

    Parameters:
        access: checks the tokens that people log in with; their roles viewer, operator and admin count.
            Without it, only this machine can look, by a one-time code that is logged.
        code: the first one-time code, for a start with a key of its own that only this machine knows.
        session_secret: signs the cookies; without it sessions end with this process.
        read_only: nobody can change anything here.
        masked: names of arguments' fields whose values only admins see.
        origins: further origins that forms may come from, for a proxy that changes the header Host.
        pages: pages of the application's own.
    """
    codes = OneTimeCodes(code) if code is not None or access is None else None
    if codes is not None and code is None:
        logger.info("dashboard.code: log in once at the dashboard's address, /login#%s", codes.code)
    desk = Desk(
        broker,
        SessionCookies(session_secret or secrets.token_hex(32)),
        read_only=read_only,
        masked=frozenset(name.casefold() for name in masked),
        pages=pages,
    )
    return Dashboard(desk, access, codes, origins)


def installed_pages() -> list[Pages]:
    """The pages that all installed packages add by entry points; one without what it requires adds none."""
    return all_additions(GROUP)
