"""The service for chatbot code: each call is one transaction on the todos and on the outbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy.orm import Session

from ..events.todos import Todo
from ..storage.engine import errors_of
from .todos import StoredTodo, Todos


class TodoService:
    """Changes todos and publishes what it did, both or neither. Any thread may use it.

    A call returns when its transaction is committed; it does not wait for Kafka, which may be away: a relay
    publishes what waits, in the order of the commits of each todo. Several changes in one transaction, or one
    of yours: use `Todos` with your own session.

    Every method raises DatabaseError if the database cannot do it; nothing is changed then, unless the
    connection was lost in the very commit. See `Todos` for the other errors.
    """

    def __init__(self, session_factory: Callable[[], Session]) -> None:
        """``session_factory`` makes a session, as SQLAlchemy's `sessionmaker` does."""
        self._session_factory = session_factory

    def create(self, todo: Todo, *, actor: str) -> StoredTodo:
        """Store a new todo. Raises TodoExists and InvalidEvent."""
        with self._todos() as todos:
            return todos.create(todo, actor=actor)

    def update(self, todo_id: str, changes: Mapping[str, Any], *, actor: str) -> StoredTodo:
        """Change fields, such as ``{"title": "Buy milk"}``. Raises TodoNotFound and InvalidEvent."""
        with self._todos() as todos:
            return todos.update(todo_id, changes, actor=actor)

    def complete(self, todo_id: str, *, actor: str) -> StoredTodo:
        """Complete a todo. Raises TodoNotFound."""
        with self._todos() as todos:
            return todos.complete(todo_id, actor=actor)

    def delete(self, todo_id: str, *, actor: str) -> StoredTodo:
        """Delete a todo and return it as it was. Raises TodoNotFound."""
        with self._todos() as todos:
            return todos.delete(todo_id, actor=actor)

    def get(self, todo_id: str) -> StoredTodo | None:
        """Read a todo; None if there is none."""
        with self._todos() as todos:
            return todos.get(todo_id)

    def list_of(self, owner: str, *, with_completed: bool = False, limit: int = 1_000) -> list[StoredTodo]:
        """Read the todos of the owner with that address, the oldest first."""
        with self._todos() as todos:
            return todos.list_of(owner, with_completed=with_completed, limit=limit)

    @contextmanager
    def _todos(self) -> Iterator[Todos]:
        with self._session_factory() as session, errors_of(session.get_bind().engine), session.begin():
            yield Todos(session)
