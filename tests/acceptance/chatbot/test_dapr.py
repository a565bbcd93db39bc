"""A real Dapr sidecar delivers to the routes, publishes into the event log, and hands on the updates.

Skipped where no `daprd` is found; `make interop-dapr` builds one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.actors.events import job_of
from tasks.audit.reading import AuditFilter, newest
from tasks.events.cloud_events import event_of
from tasks.events.models import Event, parse_any_event
from tasks.storage.database import Database
from tests.helpers.chatbot import Chatbot
from tests.helpers.dapr import DAPRD, TOKEN, ask, sidecar
from tests.helpers.kafka_reading import read_topic
from tests.helpers.ports import free_port
from tests.helpers.programs import StartedProgram, output_of, run_python, start_todo_workers
from tests.helpers.repository import REPOSITORY
from tests.helpers.samples import an_event
from tests.helpers.smtp_server import SmtpServer
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.records.sources import Incoming

SAMPLE = REPOSITORY / "deploy" / "dapr"
#: A publisher's inbox. Of the topic that is declared here, what the routes drop goes to another topic.
INBOX = """
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: inbox}
spec: {type: pubsub.in-memory, version: v1}
---
apiVersion: dapr.io/v2alpha1
kind: Subscription
metadata: {name: refused}
spec: {pubsubname: inbox, topic: declared, routes: {default: /events}, deadLetterTopic: refused}
---
apiVersion: dapr.io/v2alpha1
kind: Subscription
metadata: {name: looked-at}
spec: {pubsubname: inbox, topic: refused, routes: {default: /looked-at}}
"""

pytestmark = pytest.mark.skipif(DAPRD is None, reason="no daprd on the PATH")


@pytest.fixture
def env(bootstrap_servers: str, namespace: str, tmp_path: Path) -> dict[str, str]:
    return {
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
        "KAFKA_NAMESPACE": namespace,
        "DATABASE_URL": f"sqlite:///{tmp_path}/todo.db",
        "APP_API_TOKEN": TOKEN,
    }


@pytest.fixture
def web(env: dict[str, str]) -> Iterator[tuple[int, StartedProgram]]:
    """`todo-workers web`, which is ready, and its port."""
    port = free_port()
    own = {"WEB_PORT": str(port), "WEB_DRAIN": "0s", "WEB_DAPR_TOKEN": TOKEN, "WEB_DAPR_PUBSUB": "inbox"}
    program = start_todo_workers("web", env=env | own)
    try:
        wait_for(lambda: ask(port, "GET", "/readyz") == 200, 60)
        yield port, program
    finally:
        if program.poll() is None:
            program.terminate()
            program.communicate(timeout=30)


@pytest.fixture
def components(tmp_path: Path) -> Path:
    """The sample's component, and an inbox."""
    folder = tmp_path / "components"
    folder.mkdir()
    (folder / "todo-log.yaml").write_text((SAMPLE / "components" / "todo-log.yaml").read_text())
    (folder / "inbox.yaml").write_text(INBOX)
    return folder


@pytest.fixture
def delivering(
    web: tuple[int, StartedProgram], components: Path, env: dict[str, str], tmp_path: Path
) -> Iterator[int]:
    """The port of a sidecar that delivers to `todo-workers web`."""
    with sidecar(components, web[0], tmp_path / "daprd.log", env) as port:
        yield port


@pytest.fixture
def chatbot(
    broker: KafkaBroker, env: dict[str, str], server: SmtpServer, tmp_path: Path
) -> Iterator[Chatbot]:
    url = env["DATABASE_URL"]
    with Chatbot(broker, tmp_path, database_url=url, smtp_port=server.port) as chatbot:
        yield chatbot


def events_in(cluster: Cluster, namespace: str) -> list[Event]:
    records = read_topic(cluster, f"{namespace}.events")
    read = [event_of(Incoming(one.key, one.value, one.headers, one.timestamp)) for one in records]
    return [parse_any_event(event).model_copy(update={"cloudevent": an_event().cloudevent}) for event in read]  # type: ignore[misc]


def publish(port: int, place: str, content: Any, **metadata: str) -> None:
    """Publish through a sidecar, which may not have its components yet."""
    words = "&".join(f"metadata.{name}={value}" for name, value in metadata.items())
    path = f"/v1.0/publish/{place}?{words}"
    wait_for(lambda: ask(port, "POST", path, content, **{"content-type": "application/json"}) == 204)


@pytest.mark.parametrize("direction", ["delivers", "writes"])
def test_events_go_through_dapr_in_both_directions(
    delivering: int, cluster: Cluster, namespace: str, direction: str
) -> None:
    place = "inbox/todo-events" if direction == "delivers" else f"todo-log/{namespace}.events"
    event = an_event()
    publish(delivering, place, event.model_dump(mode="json"), partitionKey=event.todo.id)
    wait_for(lambda: events_in(cluster, namespace))
    assert events_in(cluster, namespace) == [event]


def test_what_can_never_be_published_goes_to_the_dead_letter_topic_of_the_subscription(
    web: tuple[int, StartedProgram], delivering: int, tmp_path: Path
) -> None:
    publish(delivering, "inbox/declared", {"type": "todo.create"}, **{"cloudevent.type": "todo.create"})
    # The routes have no /looked-at: the sidecar says that it could not deliver the letter.
    wait_for(lambda: "404" in (tmp_path / "daprd.log").read_text())
    _, program = web
    program.terminate()
    assert "did you mean todo.created?" in program.communicate(30)[1]


def test_events_of_one_todo_are_in_one_partition(
    components: Path, env: dict[str, str], broker: KafkaBroker, tmp_path: Path
) -> None:
    topic = broker.topics.named("events")
    broker.add_source("events", topic, job_of, retention_ms=3_600_000)
    broker.prepare()
    todos = [f"todo-{number}" for number in range(6)]
    with sidecar(components, None, tmp_path / "daprd.log", env) as port:
        for todo in todos * 2:
            publish(port, f"todo-log/{topic}", {"todo": todo}, partitionKey=todo)
    places = {(record.key, record.partition) for record in read_topic(broker.cluster, topic)}
    assert sorted(key.decode() for key, _ in places if key) == todos
    assert len({partition for _, partition in places}) > 1


def test_the_sample_publishes_and_subscribes(
    chatbot: Chatbot, server: SmtpServer, components: Path, env: dict[str, str], tmp_path: Path
) -> None:
    database = Database(env["DATABASE_URL"])
    app_port = free_port()
    words = [
        "-m",
        "uvicorn",
        "--app-dir",
        str(SAMPLE),
        "subscribe:app",
        "--no-access-log",
        "--port",
        str(app_port),
    ]
    chatbot.wait_until_ready()
    subscriber = StartedProgram(words, env=chatbot.env)
    try:
        wait_for(lambda: ask(app_port, "GET", "/dapr/subscribe") == 200)
        with sidecar(components, app_port, tmp_path / "daprd.log", env, app_id="subscriber") as port:
            own = {**env, "DAPR_HTTP_PORT": str(port)}
            for _ in range(2):  # as one does who has not seen the answer
                done = run_python(str(SAMPLE / "publish.py"), "todo-1", "Book flights", env=own)
                assert output_of(done) == "published: 204\n"
            untyped = {"actor": "user:ana", "todo": {"id": "todo-2"}}
            publish(port, f"todo-log/{env['KAFKA_NAMESPACE']}.events", untyped, partitionKey="todo-2")
            deeds = set()
            while "mail.sent" not in deeds:
                deeds.add(subscriber.stdout.readline().split()[0])
            wait_for(lambda: len(list(newest(database, AuditFilter()))) == 2)
    finally:
        subscriber.terminate()
        subscriber.communicate(timeout=30)
        database.dispose()
    assert deeds == {"event.recorded", "mail.sent"}
    assert server.count == 1
    assert "publish with the metadata cloudevent.type" in chatbot.log()
