"""Todos in the transaction of one session, to whose outbox each change adds its event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from workers.errors import WorkersError

from ..events.models import (
    Change,
    InvalidEvent,
    TodoCompleted,
    TodoCreated,
    TodoDeleted,
    TodoUpdated,
    problems_of,
)
from ..events.todos import Todo
from ..publishing import publish
from .table import todos


class TodoNotFound(WorkersError):
    """There is no todo with this id."""


class TodoExists(WorkersError):
    """There is a todo with this id already."""


@dataclass(frozen=True)
class StoredTodo:
    """A todo as the database has it."""

    todo: Todo
    created_at: datetime
    changed_at: datetime
    completed_at: datetime | None = None


class Todos:
    """The todos of one session.

    A todo that is changed stays locked until the transaction ends, so that its events are in the order of the
    commits. ``actor`` says who did it, such as ``user:42``. Whether they may is for the caller to decide.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def create(self, todo: Todo, *, actor: str) -> StoredTodo:
        """Store a new todo. Raises TodoExists and InvalidEvent."""
        event = TodoCreated(actor=actor, todo=todo)
        stored = StoredTodo(event.todo, event.time, event.time)
        row = {"id": todo.id, "created_at": event.time, **_values(stored)}
        try:
            with self._session.begin_nested():
                self._session.execute(insert(todos).values(row))
        except IntegrityError as exc:
            raise TodoExists(f"there is a todo {todo.id} already") from exc
        publish(event, session=self._session)
        return stored

    def update(self, todo_id: str, changes: Mapping[str, Any], *, actor: str) -> StoredTodo:
        """Change fields of a todo; nothing is published if they are as they were.

        Raises TodoNotFound, and InvalidEvent for a value that a field cannot have.
        """
        found = self._locked(todo_id)
        todo = _changed(found.todo, changes)
        before, after = found.todo.model_dump(mode="json"), todo.model_dump(mode="json")
        differing = {
            name: Change(before=before.get(name), after=after.get(name))
            for name in after
            if before.get(name) != after[name]
        }
        if not differing:
            return found
        event = TodoUpdated(actor=actor, todo=todo, changes=differing)
        stored = StoredTodo(todo, found.created_at, event.time, found.completed_at)
        self._write(stored)
        publish(event, session=self._session)
        return stored

    def complete(self, todo_id: str, *, actor: str) -> StoredTodo:
        """Complete a todo; nothing is published if it was completed before. Raises TodoNotFound."""
        found = self._locked(todo_id)
        if found.completed_at is not None:
            return found
        event = TodoCompleted(actor=actor, todo=found.todo)
        stored = StoredTodo(found.todo, found.created_at, event.time, event.time)
        self._write(stored)
        publish(event, session=self._session)
        return stored

    def delete(self, todo_id: str, *, actor: str) -> StoredTodo:
        """Delete a todo and return it as it was. Raises TodoNotFound."""
        found = self._locked(todo_id)
        self._session.execute(delete(todos).where(todos.c.id == todo_id))
        publish(TodoDeleted(actor=actor, todo=found.todo), session=self._session)
        return found

    def get(self, todo_id: str) -> StoredTodo | None:
        """Read a todo; None if there is none."""
        row = self._session.execute(select(todos).where(todos.c.id == todo_id)).mappings().one_or_none()
        return None if row is None else _stored(row)

    def list_of(self, owner: str, *, with_completed: bool = False, limit: int = 1_000) -> list[StoredTodo]:
        """Read the todos of the owner with that address, the oldest first."""
        rows = select(todos).where(todos.c.owner == owner.lower()).order_by(todos.c.created_at, todos.c.id)
        if not with_completed:
            rows = rows.where(todos.c.completed_at.is_(None))
        return [_stored(row) for row in self._session.execute(rows.limit(limit)).mappings()]

    def _locked(self, todo_id: str) -> StoredTodo:
        # The lock comes before the number of the event's row, which says its place among those of the todo.
        wanted = select(todos).where(todos.c.id == todo_id).with_for_update()
        row = self._session.execute(wanted).mappings().one_or_none()
        if row is None:
            raise TodoNotFound(f"there is no todo {todo_id}")
        return _stored(row)

    def _write(self, stored: StoredTodo) -> None:
        self._session.execute(update(todos).where(todos.c.id == stored.todo.id).values(_values(stored)))


def _values(stored: StoredTodo) -> dict[str, Any]:
    return {
        "owner": stored.todo.owner.email.lower(),
        "todo": stored.todo.model_dump(mode="json"),
        "changed_at": stored.changed_at,
        "completed_at": stored.completed_at,
    }


def _stored(row: RowMapping) -> StoredTodo:
    return StoredTodo(
        Todo.model_validate(row["todo"]), row["created_at"], row["changed_at"], row["completed_at"]
    )


def _changed(todo: Todo, changes: Mapping[str, Any]) -> Todo:
    if changes.get("id", todo.id) != todo.id:
        raise InvalidEvent("Not a valid todo event: id: the id of a todo cannot change")
    try:
        return Todo.model_validate(todo.model_dump() | dict(changes))
    except ValidationError as exc:
        raise InvalidEvent(f"Not a valid todo event: {problems_of(exc)}") from exc
