"""The chatbot's todos: what is changed is published in its order, and what fails publishes nothing."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, sessionmaker

import tasks
from tasks.events.models import InvalidEvent
from tasks.storage.database import Database
from tasks.storage.engine import DatabaseError
from tests.helpers.pages import blocks
from tests.helpers.programs import output_of, run_warm
from tests.helpers.samples import a_todo, an_event, an_owner
from workers.outbox.table import ROWS


@pytest.fixture
def sessions(database: Database) -> sessionmaker[Session]:
    return sessionmaker(database.engine)


@pytest.fixture
def service(sessions: sessionmaker[Session]) -> tasks.TodoService:
    return tasks.TodoService(sessions)


def published(database: Database) -> list[dict[str, Any]]:
    """The events that wait to be published."""
    with database.reading() as connection:
        return [
            json.loads(value)
            for value in connection.execute(select(ROWS.c.value).order_by(ROWS.c.id)).scalars()
        ]


def test_each_change_is_stored_and_published(service: tasks.TodoService, database: Database) -> None:
    created = service.create(a_todo(), actor="user:42")
    assert service.get("todo-1") == created
    changed = service.update("todo-1", {"title": "Buy bread", "due": None}, actor="user:42")
    assert (changed.todo.title, changed.todo.due, changed.created_at) == (
        "Buy bread",
        None,
        created.created_at,
    )
    completed = service.complete("todo-1", actor="user:43")
    assert completed.completed_at is not None
    assert service.list_of("Ana@example.com") == []
    assert service.list_of("Ana@example.com", with_completed=True) == [completed]
    assert service.delete("todo-1", actor="user:42") == completed
    assert service.get("todo-1") is None
    events = published(database)
    assert [event["type"] for event in events] == [
        "todo.created",
        "todo.updated",
        "todo.completed",
        "todo.deleted",
    ]
    assert set(events[1]["data"]["changes"]) == {"title", "due"}
    assert events[1]["data"]["changes"]["title"] == {"before": "Buy milk", "after": "Buy bread"}
    assert [event["data"]["actor"] for event in events] == ["user:42", "user:42", "user:43", "user:42"]
    assert len({event["id"] for event in events}) == 4


def test_what_changes_nothing_publishes_nothing(service: tasks.TodoService, database: Database) -> None:
    service.create(a_todo(), actor="user:42")
    service.update("todo-1", {"title": "Buy milk"}, actor="user:42")
    completed = service.complete("todo-1", actor="user:42")
    assert service.complete("todo-1", actor="user:43") == completed
    assert len(published(database)) == 2


def test_what_fails_changes_nothing_and_publishes_nothing(
    service: tasks.TodoService, database: Database
) -> None:
    created = service.create(a_todo(), actor="user:42")
    with pytest.raises(tasks.TodoExists, match="there is a todo todo-1 already"):
        service.create(a_todo(title="Another"), actor="user:42")
    with pytest.raises(InvalidEvent, match="title"):
        service.update("todo-1", {"title": ""}, actor="user:42")
    with pytest.raises(InvalidEvent, match="cannot change"):
        service.update("todo-1", {"id": "todo-2"}, actor="user:42")
    for change in (service.complete, service.delete):
        with pytest.raises(tasks.TodoNotFound, match="there is no todo todo-9"):
            change("todo-9", actor="user:42")
    assert service.list_of("ana@example.com") == [created]
    assert len(published(database)) == 1


def test_an_owners_todos_are_listed_in_the_order_of_their_creation(service: tasks.TodoService) -> None:
    for number in range(3):
        service.create(a_todo(id=f"todo-{number}"), actor="user:42")
    service.create(a_todo(id="todo-9", owner=an_owner(email="bo@example.com")), actor="user:43")
    assert [found.todo.id for found in service.list_of("ana@example.com", limit=2)] == ["todo-0", "todo-1"]


def test_several_changes_are_one_transaction(sessions: sessionmaker[Session], database: Database) -> None:
    with sessions.begin() as session:
        todos = tasks.Todos(session)
        todos.create(a_todo(), actor="user:42")
        todos.complete("todo-1", actor="user:42")
    with sessions() as session:
        todos = tasks.Todos(session)
        todos.delete("todo-1", actor="user:42")
        with pytest.raises(tasks.TodoNotFound):
            todos.delete("todo-2", actor="user:42")
    assert [event["type"] for event in published(database)] == ["todo.created", "todo.completed"]


def test_a_database_that_cannot_be_used_is_named(service: tasks.TodoService, database: Database) -> None:
    with database.writing() as connection:
        connection.exec_driver_sql("DROP TABLE todos")
    with pytest.raises(DatabaseError, match=r"The database .* failed: .*todos"):
        service.create(a_todo(), actor="user:42")
    assert published(database) == []


def test_an_event_is_published_with_an_asynchronous_session(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    database.upgrade()

    async def main() -> None:
        engine = create_async_engine(make_url(postgresql_url).set(drivername="postgresql+psycopg"))
        async with AsyncSession(engine) as session:
            async with session.begin():
                tasks.publish(an_event(), session=session)
            tasks.publish(an_event("todo.completed"), session=session)
            await session.rollback()
            async with session.begin():
                tasks.send_notice.send_in(session, {"id": "n-1"})  # type: ignore[attr-defined]
                await session.run_sync(lambda sync: tasks.Todos(sync).create(a_todo(), actor="user:42"))
        await engine.dispose()

    asyncio.run(main())
    found = published(database)
    assert [event.get("type", event.get("actor_name")) for event in found] == [
        "todo.created",
        "send_notice",
        "todo.created",
    ]
    database.dispose()


def test_an_invalid_event_is_refused_where_it_is_published(sessions: sessionmaker[Session]) -> None:
    with sessions() as session, pytest.raises(InvalidEvent):
        tasks.publish({"type": "todo.created"}, session=session)


def test_the_lines_of_the_guide_work(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/todo.db"
    (lines,) = [block for block in blocks("docs/guide.md", "python") if "TodoService" in block]
    output_of(run_warm("-c", lines, env={"DATABASE_URL": url}))
    database = Database(url)
    assert [event["type"] for event in published(database)] == [
        "todo.created",
        "todo.updated",
        "todo.completed",
        "todo.created",
        "todo.deleted",
    ]
    database.dispose()
