"""The reminders of the user who asks, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from tasks.reminders.outcomes import AlarmToSet
from tasks.storage.database import Database
from tests.helpers.reminder_world import World, event
from tests.helpers.samples import an_owner
from tests.integration.web.api.conftest import bearer, make_client, require_problem
from web.api.services import Services
from workers import Cluster, KafkaBroker
from workers.errors import KafkaUnreachable

ANA, BEN = bearer("Ana@Example.com"), bearer("ben@example.com")
DUE = datetime.now(UTC) + timedelta(days=9)


@pytest.fixture(autouse=True)
def world(database: Database) -> World:
    """Ana has two reminders, Ben has one."""
    world = World(database)
    bens = an_owner(email="ben@example.com")
    world.sync(
        event(due=DUE, reminders=["-1d", "-1h"]), event(id="todo-2", owner=bens, due=DUE, reminders=["0m"])
    )
    return world


def mine(client: TestClient, who: dict[str, str] = ANA, **query: Any) -> list[dict[str, Any]]:
    answer = client.get("/reminders", headers=who, params=query)
    assert answer.status_code == 200
    return list(answer.json()["reminders"])


def test_everybody_sees_their_own(client: TestClient) -> None:
    assert [one["before_due"] for one in mine(client)] == ["-1d", "-1h"]
    assert [one["before_due"] for one in mine(client, BEN)] == ["0m"]
    assert client.get("/reminders", headers=ANA, params={"limit": 1}).json()["total"] == 2
    assert mine(client, todo="todo-2") == mine(client, state="done") == mine(client, bearer("c@x.org")) == []
    require_problem(client.get("/reminders"), 401, "send a token")
    assert (
        client.get("/reminders", headers=ANA, params={"state": "x"}).json()["errors"][0]["at"]
        == "query.state"
    )


def test_a_reminder_is_put_off_set_to_another_time_and_called_off(
    client: TestClient, alarms: list[AlarmToSet]
) -> None:
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    first = f"/reminders/{mine(client)[0]['id']}"
    moved = client.post(f"{first}/reschedule", json={"at": at.isoformat()}, headers=ANA).json()
    assert datetime.fromisoformat(moved["alarm_at"]) == alarms[0].at == at
    assert moved["is_moved"]
    put_off = client.post(f"{first}/snooze", json={"length": "2d"}, headers=ANA).json()
    assert datetime.fromisoformat(put_off["alarm_at"]) == alarms[1].at > at
    cancelled = client.post(f"{first}/cancel", headers=ANA).json()
    assert (cancelled["state"], cancelled["alarm_at"]) == ("cancelled", None)
    require_problem(client.post(f"{first}/snooze", json={}, headers=ANA), 409, "reschedule it instead")


@pytest.mark.parametrize(
    ("what", "body"), [("cancel", None), ("snooze", {}), ("reschedule", {"at": DUE.isoformat()})]
)
def test_nobody_touches_reminders_of_others(client: TestClient, what: str, body: Any) -> None:
    bens = mine(client, BEN)[0]
    problem = require_problem(client.post(f"/reminders/{bens['id']}/{what}", json=body, headers=ANA), 404, "")
    nobodys = client.post(f"/reminders/{uuid4()}/{what}", json=body, headers=ANA).json()
    assert problem["detail"].startswith("No reminder has the id")
    assert nobodys["detail"].startswith("No reminder has the id")
    assert "todo-2" not in str(problem)
    assert mine(client, BEN) == [bens]


@pytest.mark.parametrize(
    ("what", "body", "words"),
    [
        ("snooze", {"length": "soon"}, "no length of time"),
        ("snooze", {"length": "0m"}, "more than nothing"),
        ("reschedule", {"at": "2026-06-05T09:00"}, "not as the route describes"),
        ("reschedule", {"at": "9999-12-31T23:59:59-12:00"}, "not as the route describes"),
        ("reschedule", {}, "not as the route describes"),
    ],
)
def test_what_is_wrong_is_said(client: TestClient, what: str, body: Any, words: str) -> None:
    answer = client.post(f"/reminders/{mine(client)[0]['id']}/{what}", json=body, headers=ANA)
    require_problem(answer, 422, words)
    require_problem(client.post("/reminders/x/cancel", headers=ANA), 422, "not as the route describes")


def test_an_alarm_that_kafka_does_not_take_is_left_to_the_workers(
    make_services: Callable[[KafkaBroker], Services], world: World
) -> None:
    def refuse(_alarm: AlarmToSet) -> None:
        raise KafkaUnreachable

    services = make_services(KafkaBroker(Cluster(("127.0.0.1:1",)), namespace="t"))
    with make_client(Services(**{**vars(services), "set_alarm": refuse})) as client:
        first = mine(client)[0]["id"]
        put_off = client.post(f"/reminders/{first}/snooze", json={"length": "20d"}, headers=ANA).json()
    assert not put_off["has_alarm"]
    assert [alarm.reminder_id for alarm in world.store.alarm_of(first)] == [first]
