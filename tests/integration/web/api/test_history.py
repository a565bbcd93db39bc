"""What happened to a todo, over HTTP, for whom it concerns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tasks.audit.reading import Row, newest
from tasks.audit.trail import AuditStore
from tasks.events.models import parse_any_event
from tasks.storage.database import Database
from tests.helpers.samples import NOON, a_todo, an_event, an_owner
from tests.integration.web.api.conftest import bearer, require_problem

ANA, BEN, EVE = (bearer(f"{name}@example.com") for name in ("ana", "ben", "eve"))
OPERATOR = bearer("op@example.com", "operator")


@pytest.fixture(autouse=True)
def trail(database: Database) -> None:
    """Ana makes a todo that Eve watches, changes it, and gives it to Ben."""
    anas = a_todo(watchers=["Eve@example.com"], secret="x")
    bens = a_todo(owner=an_owner(name="Ben", email="ben@example.com"))
    changes: dict[str, Any] = {"title": {"before": "Buy bread", "after": "Buy milk"}}
    given = {"owner": {"before": anas.owner, "after": bens.owner}}
    events = [
        an_event(todo=anas),
        an_event("todo.updated", todo=anas, changes=changes | {"secret": {"before": 1, "after": 2}}),
        parse_any_event({"type": "order.paid", "subject": "todo-1", "data": {"secret": 1}}),
        an_event(todo=a_todo(id="todo-2")),
    ]
    store = AuditStore(database)
    store.record_all(events, recorded_at=datetime.now(UTC))
    store.record(
        an_event("todo.updated", todo=a_todo(id="todo-3"), changes=changes), recorded_at=datetime.now(UTC)
    )
    store.record(
        an_event("todo.updated", todo=bens.model_copy(update={"id": "todo-3"}), changes=given),
        recorded_at=datetime.now(UTC),
    )


def history(client: TestClient, who: dict[str, str], todo: str = "todo-1", **query: Any) -> Any:
    answer = client.get(f"/todos/{todo}/history", headers=who, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("who", [ANA, EVE])
def test_owner_and_watchers_see_what_they_see_live(client: TestClient, who: dict[str, str]) -> None:
    changed, created = history(client, who)["changes"]
    assert (changed["type"], changed["actor"], changed["sequence"]) == ("todo.updated", "user:42", 2)
    assert (changed["before"], changed["after"]) == ({"title": "Buy bread"}, {"title": "Buy milk"})
    assert (created["before"], created["after"]["owner"]) == (None, {"name": "Ana Petrović"})
    assert "secret" not in json.dumps([changed, created])
    assert "@" not in json.dumps([changed, created])


def test_who_owns_it_now_sees_what_happened_since(client: TestClient) -> None:
    assert [one["sequence"] for one in history(client, BEN, "todo-3")["changes"]] == [6]
    require_problem(client.get("/todos/todo-3/history", headers=ANA), 404, "not yours")


def test_an_older_event_that_is_recorded_later_does_not_give_the_todo_back(
    client: TestClient, database: Database
) -> None:
    older = an_event("todo.updated", time=NOON - timedelta(hours=1), todo=a_todo(id="todo-3"))
    AuditStore(database).record(older, recorded_at=datetime.now(UTC))
    assert [one["sequence"] for one in history(client, BEN, "todo-3")["changes"]] == [6]
    require_problem(client.get("/todos/todo-3/history", headers=ANA), 404, "not yours")


def test_events_of_other_types_are_read_for_operators_alone(
    client: TestClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [parse_any_event({"type": "order.paid", "subject": "todo-1"}) for _ in range(3)]
    AuditStore(database).record_all(others, recorded_at=datetime.now(UTC))
    read: list[str] = []

    def noted(*args: Any, **options: Any) -> Iterator[Row]:
        for row in newest(*args, **options):
            read.append(row["type"])
            yield row

    monkeypatch.setattr("web.api.history.newest", noted)
    assert len(history(client, ANA)["changes"]) == 2
    assert set(read) == {"todo.created", "todo.updated"}
    assert len(history(client, OPERATOR)["changes"]) == 6


def test_operators_see_everything(client: TestClient) -> None:
    found = history(client, OPERATOR)["changes"]
    assert [one["type"] for one in found] == ["order.paid", "todo.updated", "todo.created"]
    assert found[2]["after"]["secret"] == "x"


def test_a_long_history_comes_in_pages(client: TestClient) -> None:
    first = history(client, OPERATOR, limit=2)
    second = history(client, OPERATOR, limit=2, before=first["next"])
    assert [one["sequence"] for one in first["changes"] + second["changes"]] == [3, 2, 1]
    assert second["next"] is None


@pytest.mark.parametrize(("who", "status"), [(BEN, 404), ({}, 401)])
def test_others_see_nothing(client: TestClient, who: dict[str, str], status: int) -> None:
    require_problem(client.get("/todos/todo-1/history", headers=who), status, "")
    require_problem(client.get("/todos/todo-x/history", headers=OPERATOR), 404, "no such todo")


def test_an_id_that_no_todo_can_have_is_refused(client: TestClient) -> None:
    require_problem(client.get("/todos/a%00b/history", headers=ANA), 422, "not as the route describes")
    require_problem(client.get("/todos/todo-1/history?before=0", headers=ANA), 422, "not as the route")
