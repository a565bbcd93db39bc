"""From the chatbot's event to the browser: workers, bridge processes, Kafka and the mail server are real."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tasks.storage.database import Database
from tests.helpers.chatbot import Chatbot
from tests.helpers.live_client import LiveClient
from tests.helpers.ports import free_port
from tests.helpers.programs import StartedProgram, start_todo_workers
from tests.helpers.samples import a_todo, an_event, an_owner
from tests.helpers.smtp_server import SmtpServer
from tests.helpers.waiting import wait_for
from workers import KafkaBroker

SECRET = "a secret of thirty-two bytes or more"
ANA = "ana@example.com"


@pytest.fixture
def chatbot(broker: KafkaBroker, tmp_path: Path, sqlite: Database) -> Iterator[Chatbot]:
    url = sqlite.engine.url.render_as_string(hide_password=False)
    with (
        SmtpServer() as smtp,
        Chatbot(
            broker,
            tmp_path,
            database_url=url,
            smtp_port=smtp.port,
            WEB_JWT_SECRET=SECRET,
            WEB_LIVE_PORT=str(free_port()),
            WEB_DRAIN="1s",
        ) as chatbot,
    ):
        yield chatbot


@pytest.fixture
def bridge(chatbot: Chatbot) -> Iterator[StartedProgram]:
    """Two processes that share the port."""
    program = start_todo_workers("bridge", "--processes", "2", "--json", env=chatbot.env)
    yield program
    program.send_signal(signal.SIGTERM)
    output, _ = program.communicate(timeout=60)
    assert program.returncode == 0, output


def status(program: StartedProgram) -> dict[str, Any]:
    """The next line that the bridge prints."""
    line: dict[str, Any] = json.loads(program.stdout.readline())
    return line


@pytest.mark.long
def test_the_owner_sees_the_event_its_mail_and_its_reminder_as_they_happen(
    chatbot: Chatbot, bridge: StartedProgram
) -> None:
    wait_for(lambda: status(bridge)["following"], 60)
    token = chatbot.command("token", ANA).strip()
    due = datetime.now(UTC) + timedelta(seconds=4)
    todo = a_todo(id="todo-1", owner=an_owner(email=ANA), due=due, reminders=["0m"])
    with LiveClient(f"ws://127.0.0.1:{chatbot.env['WEB_LIVE_PORT']}/live", token) as client:
        client.connect()
        chatbot.publish([an_event(todo=todo)])
        wanted = {"todo.created", "event.recorded", "mail.sent", "reminder.set", "reminder.fired"}
        while {event["type"] for event in client.events} != wanted:
            assert client.receive(60) is not None
        assert client.events[0]["type"] == "todo.created"
        first_mail = next(event for event in client.events if event["type"] == "mail.sent")
        assert (first_mail["subject"], first_mail["data"]["kind"]) == ("todo-1", "todo_created")
        fired = next(event for event in client.events if event["type"] == "reminder.fired")
        while fired["data"]["notice_id"] not in str([e for e in client.events if e["type"] == "mail.sent"]):
            assert client.receive(60) is not None
        assert ANA not in str(client.events)
        chatbot.publish([an_event("todo.completed", todo=todo)])
        while client.events[-1]["data"].get("kind") != "todo_completed":
            assert client.receive(60) is not None
        found = status(bridge)
        while not found["clients"]:
            found = status(bridge)
        assert (found["processes"], found["clients"], found["skipped"]) == (2, 1, 0)
        bridge.send_signal(signal.SIGTERM)
        assert client.read_to_the_end() == 4000
