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

    def learn(
        self, connection: Connection, events: Sequence[TodoEvent], there: Collection[str]
    ) -> dict[str, KnownTodo]:
        """Add events of different todos to what is known of these; returns all that is known now, by todo.

        ``there`` are the todos that had a row a moment ago. The rows stay locked until the transaction ends,
        so events of one todo are learned one after the other.
        """
        by_id = {event.todo.id: event for event in sorted(events, key=lambda event: event.todo.id)}
        # All rows are added before any is locked: else two transactions could wait for each other. They still
        # can if rows are pruned in between; then PostgreSQL fails one of the two, which is tried again.
        new = self._add(connection, {id_: event for id_, event in by_id.items() if id_ not in there})
        before = self._lock(connection, {id_: event for id_, event in by_id.items() if id_ not in new})
        known = {id_: learn(one, by_id[id_]) for id_, one in before.items()}
        change(connection, {id_: one for id_, one in known.items() if one != before[id_]})
        return new | known

    def _add(self, connection: Connection, events: Mapping[str, TodoEvent]) -> dict[str, KnownTodo]:
        """Add rows of todos; returns what they say, or nothing if another transaction has added some."""
        first = {todo_id: learn(None, event) for todo_id, event in events.items()}
        rows = [_values(todo_id, one) for todo_id, one in first.items()]
        return first if rows and self._insert.execute(connection, rows) == len(rows) else {}

    def _lock(self, connection: Connection, events: Mapping[str, TodoEvent]) -> dict[str, KnownTodo]:
        """Lock the rows of todos, and read them; one that is missing is added."""
        found: dict[str, KnownTodo] = {}
        while len(found) < len(events):
            found = {row.todo_id: known_in(row) for row in _LOCKED.rows(connection, list(events))}
            # Pruned, before it was locked.
            self._add(connection, {id_: event for id_, event in events.items() if id_ not in found})
        return found


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
