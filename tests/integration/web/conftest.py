"""A bridge of its own for each test, on the shared Kafka, served by uvicorn on a thread."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser

from tasks import Owner, Todo, TodoCreated
from tasks.events.cloud_events import record_of
from tests.helpers.browser import chromium
from tests.helpers.live_client import LiveClient
from tests.helpers.waiting import wait_for
from web.access import Access
from web.keys import SecretKey
from web.live.bridge import Bridge, Limits
from web.live.connections.admission import Admission
from web.live.connections.routes import add_health, add_live
from web.live.views import Views
from web.page import add_page
from web.running.server import Server, listen
from workers import Cluster
from workers.kafka import create_missing_topics
from workers.kafka.producing.producer import DurableProducer
from workers.records.envelope import Record
from workers.topics import TopicSpec, log_config

ANY_OWNER = "ana@example.com"
SECRET = "a secret of thirty-two bytes or more"


def token_of(user: str, *, for_s: float = 3_600, **claims: Any) -> str:
    payload = {"email": user, "aud": "todo", "exp": time.time() + for_s} | claims
    return jwt.encode(payload, SECRET)


def titles(events: list[dict[str, Any]]) -> list[str]:
    """The titles of the todos of events as clients see them."""
    return [event["data"]["todo"]["title"] for event in events]


def event_record(title: str, owner: str, todo: str, **fields: Any) -> Record:
    """The record of a todo that was created."""
    who = Owner(name="Ana", email=owner)
    return record_of(TodoCreated(actor="user:ana", todo=Todo(id=todo, title=title, owner=who, **fields)))


class RunningBridge:
    """A bridge that runs on a thread of this process."""

    def __init__(
        self,
        cluster: Cluster,
        topics: list[str],
        limits: Limits,
        drain_s: float,
        views: Views,
        *,
        page: Path | None = None,
    ) -> None:
        specs = [TopicSpec(topic, 2, config=log_config(86_400_000)) for topic in topics]
        self.bridge = Bridge(
            cluster, topics, views=views, limits=limits, prepare=lambda: create_missing_topics(cluster, specs)
        )
        access = Access(SecretKey(SECRET), audience="todo")
        admission = Admission(
            origins=["https://todo.example.com"],
            connections=limits.connections,
            per_address=limits.per_address,
        )
        app = FastAPI(lifespan=self._lifespan)
        add_health(app, self.bridge)
        add_live(app, bridge=self.bridge, access=access, admission=admission)
        add_page(app, page)
        self.server = Server(app, self.bridge, drain=timedelta(seconds=drain_s))
        self._listening = listen("127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def client(self, user: str, **claims: Any) -> LiveClient:
        """A client of that user, not connected yet."""
        return LiveClient(f"ws://{self.address}/live", token_of(user, **claims))

    def wait_until_ready(self) -> None:
        wait_for(lambda: self.bridge.is_ready and self.bridge.hub.stale_since is None)

    def stop(self) -> None:
        """Stop as at SIGTERM, and wait for the end."""
        self.server.should_exit = True
        self._thread.join(60)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        asyncio.run(self.server.serve(sockets=[self._listening]))

    @contextlib.asynccontextmanager
    async def _lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        await self.bridge.start()
        yield
        await self.bridge.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium for the tests of a file, which run one after the other in one process."""
    with chromium() as browser:
        yield browser


Publish = Callable[..., None]
StartBridge = Callable[..., RunningBridge]


@pytest.fixture
def topics(namespace: str) -> list[str]:
    """The topics that bridges follow: events, and updates."""
    return [f"{namespace}.events", f"{namespace}.updates"]


@pytest.fixture
def start_bridge(cluster: Cluster, topics: list[str]) -> Iterator[StartBridge]:
    """Starts bridges; they stop when the test ends."""
    started: list[RunningBridge] = []

    def start(
        *,
        limits: Limits | None = None,
        drain_s: float = 0,
        views: Views | None = None,
        at: Cluster = cluster,
        page: Path | None = None,
        wait: bool = True,
    ) -> RunningBridge:
        running = RunningBridge(at, topics, limits or Limits(), drain_s, views or Views(), page=page)
        started.append(running)
        if wait:
            running.wait_until_ready()
        return running

    yield start
    for running in started:
        running.stop()


@pytest.fixture
def bridge(start_bridge: StartBridge) -> RunningBridge:
    return start_bridge()


@pytest.fixture
def publish(cluster: Cluster, topics: list[str]) -> Iterator[Publish]:
    """Publishes events of a todo with this title, for this owner; returns when Kafka has them."""
    producer = DurableProducer(cluster)

    def publish(*titles: str, owner: str = "ana@example.com", todo: str = "todo-1", **fields: Any) -> None:
        futures = [producer.send(topics[0], event_record(title, owner, todo, **fields)) for title in titles]
        for future in futures:
            future.get(10)

    yield publish
    producer.close()


@pytest.fixture
def publish_raw(cluster: Cluster, topics: list[str]) -> Iterator[Callable[[bytes | None], object]]:
    """Writes a record with any value into the log of events."""
    producer = DurableProducer(cluster)
    yield lambda value: producer.deliver(topics[0], Record(b"todo-1", value, []))
    producer.close()
