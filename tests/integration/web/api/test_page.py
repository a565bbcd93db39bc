"""The requests that docs/http.md shows are answered as it says."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from string import Template
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from tasks.audit.trail import AuditStore
from tasks.notifications.delivery_store import DeliveryStore
from tasks.notifications.notice import notice_of
from tasks.notifications.unsubscribe_links import signed
from tasks.reminders.by_hand import RemindersByHand
from tasks.storage.database import Database
from tests.helpers.pages import blocks
from tests.helpers.reminder_world import World, event
from tests.helpers.samples import an_event
from tests.integration.web.api.conftest import UNSUBSCRIBE_SECRET
from tests.integration.web.conftest import token_of

_HOST = "http://127.0.0.1:8000"


def shown() -> Iterator[tuple[str, str]]:
    """Each curl command of the page, and the answer shown below it."""
    for block in blocks("docs/http.md", "console"):
        for part in block.replace("\\\n", " ").split("$ ")[1:] if "curl" in block else ():
            command, _, answer = _split(part)
            yield command, answer


def _split(part: str) -> tuple[str, str, str]:
    """A command ends at the line on which its last quote does."""
    lines = part.splitlines()
    for count in range(1, len(lines) + 1):
        command = "\n".join(lines[:count])
        try:
            shlex.split(command)
        except ValueError:
            continue
        return command, "\n", "\n".join(lines[count:])
    raise AssertionError(part)


def run(client: TestClient, command: str, values: dict[str, str]) -> Response:
    """Send what curl would."""
    words = iter(shlex.split(Template(command).substitute(values)))
    assert next(words) == "curl"
    method, headers, data, url = "", {"content-type": "application/x-www-form-urlencoded"}, None, ""
    for word in words:
        if word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name.lower()] = value
        elif word == "-d":
            data = next(words)
        elif word == "-X":
            method = next(words)
        else:
            assert word.startswith(_HOST)
            url = word.removeprefix(_HOST)
    return client.request(method or ("GET" if data is None else "POST"), url, headers=headers, content=data)


@pytest.fixture
def values(database: Database) -> dict[str, str]:
    """What the page's variables stand for: Ana has a todo, a reminder and a mail."""
    created = event(due=datetime.now(UTC) + timedelta(minutes=70), reminders=["-1h"]).model_copy(
        update={"event_id": an_event(event_id="5f8d2c1e-0c4e-4b5e-9a55-3d1b8f0a6c11").event_id}
    )
    AuditStore(database).record(created, recorded_at=datetime.now(UTC))
    World(database).sync(created)
    notice = notice_of(created, id=created.event_id)
    DeliveryStore(database).opt_out(notice, now=datetime.now(UTC))
    return {
        "SERVICE": token_of("shop@example.com", roles=["publisher"]),
        "ANA": token_of("ana@example.com"),
        "REMINDER": RemindersByHand(database).find(limit=1)[0][0].id,
        "LINK": signed(notice.id, UNSUBSCRIBE_SECRET),
    }


def test_the_requests_of_the_page_are_answered_as_it_says(
    publishing_client: TestClient, values: dict[str, str]
) -> None:
    commands = list(shown())
    assert len(commands) >= 10
    for command, answer in commands:
        found = run(publishing_client, command, values)
        assert found.status_code < 300 or found.status_code == _keys(answer).get("status"), command
        if answer.strip():
            assert list(found.json()) == list(_keys(answer)), command


def _keys(answer: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer) if answer.strip() else {}
    return found
