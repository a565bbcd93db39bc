"""One trace from the request to the mail, through a real Kafka, database and mail server."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest

from tasks.events.cloud_events import record_of
from tests.apps.traced_chatbot import CALLER, FOREIGN_TRACE, HTTP_TRACE
from tests.helpers.programs import run_warm
from tests.helpers.samples import a_todo, an_event
from tests.helpers.smtp_server import SmtpServer
from workers import Cluster

SECRET = "a secret of thirty-two bytes or more"


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


def test_a_trace_leads_from_the_request_to_the_mail(
    cluster: Cluster, namespace: str, server: SmtpServer, tmp_path: Path
) -> None:
    # Each of the two mails is refused once, so a job sends it.
    server.replies["RCPT"].extend(["451 later", "451 later"])
    due = datetime.now(UTC) + timedelta(days=2)
    over_http = an_event(todo=a_todo(due=due, reminders=["-1d"]), time=datetime.now(UTC))
    foreign = an_event(todo=a_todo(id="todo-2"), time=datetime.now(UTC))
    claims = {"email": "shop@example.com", "aud": "todo", "exp": time.time() + 3600, "roles": ["publisher"]}
    given = {
        "over-http": json.loads(record_of(over_http).value or b""),
        "foreign": json.loads(record_of(foreign).value or b""),
        "token": jwt.encode(claims, SECRET),
    }
    settings = {
        "KAFKA_BOOTSTRAP_SERVERS": cluster.address,
        "KAFKA_NAMESPACE": namespace,
        "KAFKA_PARTITIONS": "2",
        "DATABASE_URL": f"sqlite:///{tmp_path}/todo.db",
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(server.port),
        "WEB_JWT_SECRET": SECRET,
        "LOG_FORMAT": "json",
    }
    done = run_warm("-m", "tests.apps.traced_chatbot", env=settings, stdin=json.dumps(given))
    assert done.returncode == 0, done.stderr
    spans: list[dict[str, Any]] = json.loads(done.stdout)
    assert server.count == 2

    log, jobs = f"{namespace}.events", f"{namespace}.jobs.notifications"
    tree = lines(spans, HTTP_TRACE)
    assert tree[:3] == ["SERVER POST /events", f"  PRODUCER send {log}", f"    CONSUMER process {log}"]
    below = tree[3:]
    assert "      INTERNAL audit append" in below
    assert "      CLIENT smtp send ERROR" in below
    first = below.index(f"      PRODUCER send {jobs}")
    assert below[first + 1 : first + 3] == [f"        CONSUMER process {jobs}", "          CLIENT smtp send"]
    # The alarm of the reminder, which waits.
    assert any(line.startswith(f"      PRODUCER send {namespace}.delay.") for line in below)

    tree = lines(spans, FOREIGN_TRACE)
    assert tree[0] == f"CONSUMER process {log}"
    assert "    CONSUMER process" in "".join(tree)
    assert "      CLIENT smtp send" in tree

    (request,) = (span for span in spans if span["kind"] == "SERVER")
    assert request["parent"] == CALLER
    assert "ana@example.com" not in done.stdout
    assert "Buy milk" not in done.stdout
    logged = [json.loads(line) for line in done.stderr.splitlines()]
    handled = [line for line in logged if line["message"].startswith("event.handled")]
    assert {line["trace_id"] for line in handled} == {HTTP_TRACE, FOREIGN_TRACE}
    ids = {span["id"] for span in spans if span["name"] == f"process {log}"}
    assert {line["span_id"] for line in handled} == ids


def lines(spans: list[dict[str, Any]], trace: str) -> list[str]:
    """The spans of a trace as a tree, indented; siblings in the order of their ends."""
    of_trace = [span for span in spans if span["trace"] == trace]
    known = {span["id"] for span in of_trace}

    def below(parent: str | None, depth: int) -> list[str]:
        found = []
        for span in of_trace:
            is_root = parent is None and span["parent"] not in known
            if span["parent"] == parent or is_root:
                error = " ERROR" if span["status"] == "ERROR" else ""
                found.append(f"{'  ' * depth}{span['kind']} {span['name']}{error}")
                found += below(span["id"], depth + 1)
        return found

    return below(None, 0)
