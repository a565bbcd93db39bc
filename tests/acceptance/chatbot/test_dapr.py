"""A real Dapr sidecar delivers to the routes, and publishes into the event log; skipped where none is found.

`make test-dapr` says how to get one.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.events.cloud_events import event_of
from tasks.events.models import Event, parse_any_event
from tests.helpers.kafka_reading import read_topic
from tests.helpers.programs import start_todo_workers
from tests.helpers.samples import an_event
from tests.helpers.smtp_server import free_port
from tests.helpers.waiting import wait_for
from workers import Cluster
from workers.records.sources import Incoming

DAPRD = shutil.which("daprd")
TOKEN = "the token of Dapr's sidecar, 32 bytes"
#: A publisher's inbox that Dapr delivers from, and the event log that it writes to.
COMPONENTS = """
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{name: inbox}}
spec: {{type: pubsub.in-memory, version: v1}}
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{name: log}}
spec:
  type: pubsub.kafka
  version: v1
  metadata:
    - {{name: brokers, value: "{brokers}"}}
    - {{name: authType, value: none}}
    - {{name: disableTls, value: "true"}}
"""

pytestmark = pytest.mark.skipif(DAPRD is None, reason="no daprd on the PATH")


def ask(port: int, method: str, path: str, body: Any = None, **headers: str) -> int:
    """Send a request; returns the status, 0 if nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


@pytest.fixture
def web(bootstrap_servers: str, namespace: str, tmp_path: Path) -> Iterator[int]:
    """The port of `todo-workers web`, which is ready."""
    port = free_port()
    env = {
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
        "KAFKA_NAMESPACE": namespace,
        "DATABASE_URL": f"sqlite:///{tmp_path}/todo.db",
        "WEB_PORT": str(port),
        "WEB_DRAIN": "0s",
        "WEB_DAPR_TOKEN": TOKEN,
        "WEB_DAPR_PUBSUB": "inbox",
    }
    program = start_todo_workers("web", env=env)
    try:
        wait_for(lambda: ask(port, "GET", "/readyz") == 200, 60)
        yield port
    finally:
        program.terminate()
        program.communicate(timeout=30)


@pytest.fixture
def dapr(web: int, bootstrap_servers: str, tmp_path: Path) -> Iterator[int]:
    """The HTTP port of a sidecar whose components are ready."""
    assert DAPRD is not None
    (tmp_path / "components").mkdir()
    (tmp_path / "components" / "pubsub.yaml").write_text(COMPONENTS.format(brokers=bootstrap_servers))
    port = free_port()
    options = {
        "app-id": "todo",
        "app-port": web,
        "dapr-http-port": port,
        "dapr-grpc-port": free_port(),
        "dapr-internal-grpc-port": free_port(),
        "resources-path": tmp_path / "components",
        "enable-metrics": "false",
    }
    words = [f"--{name}={value}" for name, value in options.items()]
    with (tmp_path / "daprd.log").open("wb") as log:
        env = {**os.environ, "APP_API_TOKEN": TOKEN}
        sidecar = subprocess.Popen([DAPRD, *words], stdout=log, stderr=log, env=env)
    try:
        wait_for(lambda: ask(port, "GET", "/v1.0/healthz") == 204, 60)
        yield port
    finally:
        sidecar.terminate()
        sidecar.wait(30)


def events_in(cluster: Cluster, namespace: str) -> list[Event]:
    records = read_topic(cluster, f"{namespace}.events")
    read = [event_of(Incoming(one.key, one.value, one.headers, one.timestamp)) for one in records]
    return [parse_any_event(event).model_copy(update={"cloudevent": an_event().cloudevent}) for event in read]  # type: ignore[misc]


@pytest.mark.parametrize("direction", ["delivers", "writes"])
def test_events_go_through_dapr_in_both_directions(
    dapr: int, cluster: Cluster, namespace: str, direction: str
) -> None:
    place = "inbox/todo-events" if direction == "delivers" else f"log/{namespace}.events"
    event = an_event()
    path = f"/v1.0/publish/{place}?metadata.partitionKey={event.todo.id}"
    sent = event.model_dump(mode="json")
    wait_for(lambda: ask(dapr, "POST", path, sent, **{"content-type": "application/json"}) == 204, 30)
    wait_for(lambda: events_in(cluster, namespace), 30)
    assert events_in(cluster, namespace) == [event]
