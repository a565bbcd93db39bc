"""The route that tells what happened to a todo, from the audit trail."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict

from tasks.audit.reading import AuditFilter, Row, latest, newest, todo_in
from tasks.events.fields import Identifier
from tasks.events.models import EVENT_TYPES
from tasks.storage.database import Database

from ..access import Access, Identity, user_key
from ..visibility import people_of, visible_fields, visible_todo
from .asking import Asking, sees_everything
from .problems import ProblemError, described
from .services import Services

#: Rows that are read at a time: a history is short.
_PAGE = 200

# Without null: FastAPI leaves that out of examples.
_EXAMPLE: dict[str, Any] = {
    "sequence": 1042,
    "event_id": "6f9c0a1e-0d3b-4b57-9d7a-3d5e3c1f2a10",
    "type": "todo.updated",
    "time": "2026-06-01T12:00:00Z",
    "recorded_at": "2026-06-01T12:00:00.042Z",
    "actor": "user:ana",
    "before": {"title": "Book a flight"},
    "after": {"title": "Book flights"},
}


class Change(BaseModel):
    """An event of a todo. An update has the fields that changed, before and after; others the whole todo."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    sequence: int
    event_id: str
    type: str
    time: datetime
    recorded_at: datetime
    actor: str | None
    before: Any
    after: Any


class History(BaseModel):
    """Events of a todo, the last recorded first; ``next`` is the ``before`` of older ones, or null."""

    model_config = ConfigDict(json_schema_extra={"example": {"changes": [_EXAMPLE], "next": 1042}})

    changes: list[Change]
    next: int | None


def add_history(router: APIRouter, services: Services, access: Access) -> None:
    """Add the route `GET /todos/{todo}/history`."""
    asking = Asking(access)

    @router.get("/todos/{todo}/history", tags=["todos"], responses=described(401, 404, 422, 503))
    def history(
        todo: Annotated[Identifier, Path()],
        who: Identity = Depends(asking),
        before: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    ) -> History:
        """Tell what happened to a todo that you own or watch.

        You see the events since it is yours. The roles viewer, operator and admin see those of everybody,
        with all fields.
        """
        database = services.database()
        if not _may_see(database, todo, who):
            raise ProblemError(404, "there is no such todo, or it is not yours")
        rows = newest(database, _rows_for(who, todo, below=before), page_size=_PAGE)
        found = list(islice(_seen_by(who, rows), limit + 1))
        after = found[limit - 1].sequence if len(found) > limit else None
        return History(changes=found[:limit], next=after)


def _may_see(database: Database, todo: str, who: Identity) -> bool:
    """Whether somebody owns or watches the todo as it is now."""
    last = latest(database, _rows_for(who, todo))
    return last is not None and (sees_everything(who) or concerns(todo_in(last), who))


def _rows_for(who: Identity, todo: str, *, below: int | None = None) -> AuditFilter:
    """The rows that somebody may see: of events of other types, any number can have the todo as subject."""
    return AuditFilter(todo_id=todo, below=below, types=None if sees_everything(who) else EVENT_TYPES)


def concerns(todo: Any, who: Identity) -> bool:
    """Whether somebody owns or watches a todo; a row that somebody damaged concerns nobody."""
    try:
        return who.user in {user_key(person) for person in people_of(todo)}
    except (KeyError, TypeError, AttributeError):
        return False


def is_owner(todo: Any, who: Identity) -> bool:
    """Whether somebody owns a todo; a row that somebody damaged is nobody's."""
    try:
        return user_key(todo["owner"]["email"]) == who.user
    except (KeyError, TypeError, AttributeError):
        return False


def _seen_by(who: Identity, rows: Iterator[Row]) -> Iterator[Change]:
    everything = sees_everything(who)
    for row in rows:
        if everything:
            yield _change(row, row["before"], row["after"])
        elif concerns(todo_in(row), who):
            yield _change(row, _visible(row, "before"), _visible(row, "after"))


def _visible(row: Row, side: str) -> dict[str, Any] | None:
    values = row[side]
    if not isinstance(values, dict):
        return None
    return visible_fields(values) if row["type"] == "todo.updated" else visible_todo(values)


def _change(row: Row, before: Any, after: Any) -> Change:
    return Change.model_validate({**row, "before": before, "after": after})
