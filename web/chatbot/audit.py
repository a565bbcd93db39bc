"""The audit trail: search, the history of a todo, and the check of its chain."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from tasks.app import database
from tasks.archive import archive_folder
from tasks.audit.reading import AuditFilter, history, newest
from tasks.audit.story import story, summary
from tasks.audit.verify import verify
from workers.cli.times import parse_time
from workers.display.times import length_of_time

from ..dashboard import Desk
from ..dashboard.sessions.rights import Permission
from .asking import asked_of, asking_database

_SHOWN = 100
_UTC = ZoneInfo("UTC")


class _Verification:
    """The one verification that may run in a process.

    It can keep one of the threads that all routes share for minutes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._began_at = 0.0

    @contextmanager
    def begun(self) -> Iterator[float | None]:
        """Begin it for the block; gives None, or for how many seconds another one is running already."""
        if not self._lock.acquire(blocking=False):
            yield time.monotonic() - self._began_at
            return
        try:
            self._began_at = time.monotonic()
            yield None
        finally:
            self._lock.release()


def routes(desk: Desk) -> Sequence[BaseRoute]:
    on_database = asking_database(desk)

    @on_database
    def audit(request: Request) -> Response:
        asked = asked_of(request, "todo", "actor", "type", "since", "until")
        now_ms = int(time.time() * 1000)
        since, until = (
            datetime.fromtimestamp(parse_time(asked[name], now_ms) / 1000, UTC) if name in asked else None
            for name in ("since", "until")
        )
        wanted = AuditFilter(
            todo_id=asked.get("todo"),
            actor=asked.get("actor"),
            type=asked.get("type"),
            since=since,
            until=until,
        )
        rows = [{**row, "summary": summary(row)} for row in newest(database(), wanted, _SHOWN)]
        return desk.render(request, "audit.html", rows=rows, asked=asked)

    @on_database
    def todo(request: Request) -> Response:
        asked = asked_of(request, "id")
        rows = list(history(database(), asked["id"])) if asked else []
        told = [(row, list(story(row, _UTC))) for row in rows[-_SHOWN:]]
        return desk.render(request, "todo.html", id=asked.get("id", ""), rows=told)

    verification = _Verification()

    @on_database
    def check(request: Request) -> Response:
        with verification.begun() as running_s:
            if running_s is not None:
                since = f"Somebody began that {length_of_time(running_s)} ago."
                said = f"{since} Nothing was done; try again later."
                return desk.say(request, "The chain is being verified", said, 409)
            verdict = verify(database(), folder=archive_folder())
        return desk.render(request, "audit_check.html", verdict=verdict)

    view = desk.open_to(Permission.VIEW)
    return [
        Route("/audit", view(audit), methods=["GET"]),
        Route("/audit/todo", view(todo), methods=["GET"]),
        Route("/audit/check", view(check), methods=["POST"]),
    ]
