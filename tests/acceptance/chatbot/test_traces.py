"""One trace from the request to the mail, through a real Kafka, database and mail server."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tasks.events.cloud_events import record_of
from tests.apps.traced_chatbot import CALLER, FOREIGN_TRACE, HTTP_TRACE
from tests.helpers.chatbot import Chatbot
from tests.helpers.programs import run_warm
from tests.helpers.samples import a_todo, an_event
from tests.helpers.smtp_server import SmtpServer
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker

SECRET = "a secret of thirty-two bytes or more"


def test_a_trace_leads_from_the_request_to_the_mail(
    cluster: Cluster, namespace: str, server: SmtpServer, tmp_path: Path
) -> None:
    # Each of the two mails is refused once, so a job sends it.
    server.greylists = True
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


def test_a_worker_sends_its_spans_if_the_environment_says_where(
    broker: KafkaBroker, server: SmtpServer, tmp_path: Path
) -> None:
    event = an_event(time=datetime.now(UTC), cloudevent={"traceparent": f"00-{FOREIGN_TRACE}-{CALLER}-01"})
    log = broker.topics.named("events")
    with collector() as (endpoint, received):
        chatbot = Chatbot(
            broker,
            tmp_path,
            database_url=f"sqlite:///{tmp_path}/todo.db",
            smtp_port=server.port,
            threads=2,
            options=("--queues", "events"),
            OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
            OTEL_BSP_SCHEDULE_DELAY="600000",  # so that they are sent because the worker ends
        )
        with chatbot:
            chatbot.wait_until_ready()
            broker.sending.add_log(log, retention_ms=60_000)
            broker.sending.deliver(log, record_of(event))
            wait_for(lambda: server.count)
            wait_for(lambda: "event.handled" in chatbot.log())
            chatbot.stop()
    resources = [resource for request in received for resource in request.resource_spans]
    names = {
        span.name: span.trace_id.hex()
        for resource in resources
        for scope in resource.scope_spans
        for span in scope.spans
    }
    assert names[f"process {log}"] == names["smtp send"] == FOREIGN_TRACE
    attributes = {one.key: one.value.string_value for one in resources[0].resource.attributes}
    assert attributes["service.name"] == "todo-workers"


@contextmanager
def collector() -> Iterator[tuple[str, list[Any]]]:
    """Take what exporters send over HTTP; gives the address, and what came."""
    received: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            received.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.server_port}", received
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()
