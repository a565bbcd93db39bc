"""What is known of a todo does not depend on whether its row was there when somebody looked."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from tasks.reminders.known_todo_rows import KnownTodoRows, known_in
from tasks.reminders.tables import reminded_todos
from tasks.storage.database import Database
from tests.helpers.samples import a_todo, an_event


@pytest.mark.parametrize("there", [set(), {"t"}])
@pytest.mark.parametrize("has_row", [False, True])
def test_a_row_that_came_or_went_meanwhile_is_added_to_or_added(
    database: Database, there: set[str], has_row: bool
) -> None:
    rows = KnownTodoRows(database)
    created, updated = (an_event(kind, todo=a_todo(id="t")) for kind in ("todo.created", "todo.updated"))
    with database.writing() as connection:
        if has_row:
            rows.learn(connection, [created], set())
        known = rows.learn(connection, [updated], there)
        assert rows.learn(connection, [updated], {"t"}) == known
    expected = {str(one.event_id) for one in ([created, updated] if has_row else [updated])}
    assert {event.id for event in known["t"].events} == expected


def test_a_row_that_came_meanwhile_is_added_to_beside_a_new_one(database: Database) -> None:
    rows = KnownTodoRows(database)
    created, updated = (an_event(kind, todo=a_todo(id="a")) for kind in ("todo.created", "todo.updated"))
    other = an_event("todo.created", todo=a_todo(id="b"))
    with database.writing() as connection:
        rows.learn(connection, [created], set())
        known = rows.learn(connection, [updated, other], set())
        stored = connection.execute(select(reminded_todos)).all()
    assert known == {row.todo_id: known_in(row) for row in stored}
    assert {id_: {event.id for event in one.events} for id_, one in known.items()} == {
        "a": {str(created.event_id), str(updated.event_id)},
        "b": {str(other.event_id)},
    }
