"""Stores what is known of each todo: one row of ``reminded_todos``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from ..events.models import TodoEvent
from ..storage.database import Database
from .known_todo import KnownTodo, learn
from .seen_events import SeenEvent, in_order
from .tables import reminded_todos

_T = reminded_todos.c

# Built once: that costs more than what the database does with it.
_IS_KNOWN = select(_T.todo_id).where(_T.todo_id == bindparam("todo"))


def is_known(connection: Connection, todo_id: str) -> bool:
    """Whether anything is known of a todo."""
    return connection.execute(_IS_KNOWN, {"todo": todo_id}).first() is not None


def learn_event(database: Database, connection: Connection, event: TodoEvent) -> KnownTodo:
    """Add an event to what is known of its todo, and return all that is known now.

    The row stays locked until the transaction ends, so events of one todo are learned one after the other.
    """
    insert = database.insert(reminded_todos).values(_values(event.todo.id, learn(None, event)))
    connection.execute(insert.on_conflict_do_nothing(index_elements=["todo_id"]))
    where = _T.todo_id == event.todo.id
    before = _known(connection.execute(select(reminded_todos).where(where).with_for_update()).one())
    known = learn(before, event)
    if known != before:
        connection.execute(update(reminded_todos).where(where).values(_values(event.todo.id, known)))
    return known


def _known(row: Row[Any]) -> KnownTodo:
    stored = [SeenEvent(**event) for event in row.events or ()]
    # Workers of before revision 0004 know three events only; while they still run, they change only these.
    texts = [text for text in (row.opening_event, row.closing_event) if text and text != row.newest_event]
    todo = row.todo
    newest = replace(
        SeenEvent.parse(row.newest_event), due=todo["due"], zone=todo["owner"]["time_zone"], todo=todo
    )
    return KnownTodo(in_order([*stored, *map(SeenEvent.parse, texts), newest]))


def _values(todo_id: str, known: KnownTodo) -> dict[str, Any]:
    return {
        "todo_id": todo_id,
        "newest_event": str(known.newest),
        "opening_event": str(known.opening) if known.opening else None,
        "closing_event": str(known.closing) if known.closing else None,
        "todo": known.todo,
        "events": [event.as_json() for event in known.events],
    }
