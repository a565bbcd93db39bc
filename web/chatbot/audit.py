"""The audit trail: search, the history of a todo, and the check of its chain."""

from __future__ import annotations

import time
from collections.abc import Sequence
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

from ..dashboard import Desk
from ..dashboard.sessions.rights import Permission
from .asking import asked_of, asking_database

_SHOWN = 100
_UTC = ZoneInfo("UTC")


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

    @on_database
    def check(request: Request) -> Response:
        return desk.render(request, "audit_check.html", verdict=verify(database(), folder=archive_folder()))

    view = desk.open_to(Permission.VIEW)
    return [
        Route("/audit", view(audit), methods=["GET"]),
        Route("/audit/todo", view(todo), methods=["GET"]),
        Route("/audit/check", view(check), methods=["POST"]),
    ]
