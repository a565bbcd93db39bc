"""A FastAPI application that publishes goes on answering while Kafka goes away under it and comes back."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2 as httpx
import pytest

from tasks.events.cloud_events import record_of
from tests.helpers.broken_kafka import freeze_kill_and_start
from tests.helpers.kafka_reading import read_topic
from tests.helpers.pauses import Stopwatch, require_no_pause
from tests.helpers.ports import free_port
from tests.helpers.programs import StartedProgram
from tests.helpers.samples import an_event
from tests.integration.web.conftest import SECRET, token_of
from workers import Cluster
from workers.local_kafka import LocalKafka
from workers.topics import Topics

SEND_TIMEOUT_S = 4.0
#: Events each second, and how long they come in each state of Kafka.
RATE = 50
STATE_S = 6.0
#: A busy machine may add that much to any time.
MARGIN_S = 3.0


@dataclass
class Users:
    """What they ask for, and the answers: events that are published, and a route that does nothing."""

    client: httpx.AsyncClient
    server: int
    published: set[str] = field(default_factory=set)
    #: When each one was sent that may have been written or not.
    unsure: dict[str, float] = field(default_factory=dict)
    took_s: list[float] = field(default_factory=list)
    idle_took_s: list[float] = field(default_factory=list)

    async def publish(self) -> bool:
        body = record_of(an_event()).value or b""
        started = time.monotonic()
        answer = await self.client.post("/todo/events", content=body)
        self.took_s.append(time.monotonic() - started)
        is_published = answer.status_code == 202
        assert is_published or (answer.status_code == 503 and "Retry-After" in answer.headers), answer.text
        event_id = json.loads(body)["id"]
        if is_published:
            self.published.add(event_id)
        else:
            self.unsure[event_id] = started
        return is_published

    async def publish_until_it_works(self, within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while not await self.publish():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)

    async def tick(self) -> None:
        while True:
            with Stopwatch(os.getpid(), self.server) as request:
                answer = await self.client.get("/idle")
            assert answer.status_code == 200
            self.idle_took_s.append(request.took_s)
            await asyncio.sleep(0.01)

    @asynccontextmanager
    async def under_load(self) -> AsyncIterator[None]:
        """Requests come inside the block; its end waits for their answers."""
        requests: list[asyncio.Task[bool]] = []

        async def load() -> None:
            while True:
                requests.append(asyncio.create_task(self.publish()))
                await asyncio.sleep(1 / RATE)

        loading, ticking = asyncio.create_task(load()), asyncio.create_task(self.tick())
        try:
            yield
            loading.cancel()
            await asyncio.wait_for(asyncio.gather(*requests), SEND_TIMEOUT_S + 2 * MARGIN_S)
        finally:
            for task in (loading, ticking, *requests):
                task.cancel()
            await asyncio.gather(loading, ticking, *requests, return_exceptions=True)
        assert ticking.cancelled()  # the route answered whenever it was asked


@contextmanager
def served(kafka: LocalKafka, namespace: str) -> Iterator[tuple[str, int]]:
    """Run the application by uvicorn, in a process of its own; gives its URL and process."""
    port = free_port()
    env = os.environ | {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "KAFKA_NAMESPACE": namespace,
        "KAFKA_PARTITIONS": "2",
        "KAFKA_CONNECT_TIMEOUT_S": "1",
        "KAFKA_SEND_TIMEOUT_S": str(SEND_TIMEOUT_S),
        "WEB_JWT_SECRET": SECRET,
    }
    arguments = ["-m", "uvicorn", "tests.apps.own_fastapi:app", "--port", str(port), "--log-level", "warning"]
    program = StartedProgram(arguments, env=env)
    try:
        yield f"http://127.0.0.1:{port}", program.pid
        program.terminate()
        assert program.wait(30) == -signal.SIGTERM  # once it has stopped, uvicorn lets the signal end it
    finally:
        program.kill()
        with program:
            pass


@pytest.mark.long
def test_a_warm_application_answers_while_kafka_is_frozen_killed_and_back(
    tmp_path: Path, namespace: str
) -> None:
    kafka = LocalKafka(port=free_port(), data_dir=tmp_path / "kafka")
    kafka.start()

    async def use(url: str, pid: int) -> Users:
        headers = {
            "authorization": f"Bearer {token_of('service@example.com', roles=['publisher'])}",
            "content-type": "application/cloudevents+json",
        }
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=url, headers=headers, limits=limits, timeout=60) as client:
            users = Users(client, pid)
            await is_up(client)
            await users.publish_until_it_works(within_s=20)
            async with users.under_load():
                await freeze_kill_and_start(kafka, state_s=STATE_S)
                await users.publish_until_it_works(within_s=20)
                works_at = time.monotonic()
                await asyncio.sleep(2)
            assert [sent_at for sent_at in users.unsure.values() if sent_at > works_at] == []
        return users

    try:
        with served(kafka, namespace) as (url, pid):
            users = asyncio.run(use(url, pid))
        require_no_pause(users.idle_took_s)
        assert max(users.took_s) < SEND_TIMEOUT_S + MARGIN_S
        assert users.unsure  # Kafka was away
        records = read_topic(Cluster((kafka.bootstrap_servers,)), Topics(namespace).named("events"))
        written = [json.loads(record.value)["id"] for record in records]
        assert users.published <= set(written) <= users.published | users.unsure.keys()
        assert len(written) == len(set(written))
    finally:
        kafka.stop()


async def is_up(client: httpx.AsyncClient) -> None:
    deadline = time.monotonic() + 60
    while True:
        with suppress(httpx.TransportError):
            if (await client.get("/idle")).status_code == 200:
                return
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
