"""Stores what is known of each todo: one row of ``reminded_todos``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from ..events.models import TodoEvent
from ..storage.database import Database
from ..storage.prepared import Prepared, PreparedLookUp
from .known_todo import KnownTodo, learn
from .seen_events import SeenEvent, in_order
from .tables import reminded_todos

_T = reminded_todos.c

# Built once: that costs more than what the database does with it.
_KNOWN_AMONG = PreparedLookUp(lambda ids: select(_T.todo_id).where(_T.todo_id.in_(ids)))
# In order: two transactions that lock rows in different orders would wait for each other for ever.
_LOCKED = PreparedLookUp(
    lambda ids: select(reminded_todos).where(_T.todo_id.in_(ids)).order_by(_T.todo_id).with_for_update()
)
_CHANGED = ("newest_event", "opening_event", "closing_event", "todo", "events")
_UPDATE = Prepared(
    update(reminded_todos)
    .where(_T.todo_id == bindparam("own_id"))
    .values({name: bindparam(name) for name in _CHANGED})
)


class KnownTodoRows:
    """The rows of one database; every method works in the transaction of a connection."""

    def __init__(self, database: Database) -> None:
        new = database.insert(reminded_todos).on_conflict_do_nothing(index_elements=["todo_id"])
        self._insert = Prepared(new, ("todo_id", *_CHANGED))

    def known_among(self, connection: Connection, todo_ids: Collection[str]) -> set[str]:
        """Those of some todos of which anything is known."""
        if not todo_ids:
            return set()
        return {row.todo_id for row in _KNOWN_AMONG.rows(connection, list(todo_ids))}

    def learn(self, connection: Connection, events: Sequence[TodoEvent]) -> dict[str, KnownTodo]:
        """Add events of different todos to what is known of these; returns all that is known now, by todo.

        The rows stay locked until the transaction ends, so events of one todo are learned one after the
        other.
        """
        by_id = {event.todo.id: event for event in sorted(events, key=lambda event: event.todo.id)}
        first = {todo_id: learn(None, event) for todo_id, event in by_id.items()}
        before: dict[str, KnownTodo] = {}
        while len(before) < len(by_id):  # again, if a row that was there is pruned before it is locked
            self._insert.execute(connection, [_values(todo_id, one) for todo_id, one in first.items()])
            before = {row.todo_id: known_in(row) for row in _LOCKED.rows(connection, list(by_id))}
        known = {todo_id: learn(before[todo_id], event) for todo_id, event in by_id.items()}
        change(connection, {todo_id: one for todo_id, one in known.items() if one != before[todo_id]})
        return known


def change(connection: Connection, known: Mapping[str, KnownTodo]) -> None:
    """Store what is known of todos whose rows are there, and locked."""
    if known:
        rows = [_values(todo_id, one) | {"own_id": todo_id} for todo_id, one in known.items()]
        _UPDATE.execute(connection, rows)


def known_in(row: Row[Any]) -> KnownTodo:
    """Read a row of ``reminded_todos``."""
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
