"""A web server that publishes from its event loop goes on while Kafka goes away under it and comes back."""

from __future__ import annotations

import asyncio
import os
import statistics
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import dramatiq
import pytest

from tests.helpers.broken_kafka import freeze_kill_and_start
from tests.helpers.kafka_reading import read_topic
from tests.helpers.pauses import Stopwatch, require_no_pause
from tests.helpers.ports import free_port
from workers import Cluster, KafkaBroker
from workers.errors import KafkaUnreachable, NotDelivered
from workers.local_kafka import LocalKafka

SEND_TIMEOUT_S = 4.0
#: Requests each second, and how long they come in each state of Kafka.
RATE = 50
STATE_S = 6.0
#: A busy machine may add that much to any time.
MARGIN_S = 3.0


@dataclass
class WebServer:
    """Routes that publish, as a coroutine for each request; and one that does nothing, as a ticker."""

    broker: KafkaBroker
    published: set[int] = field(default_factory=set)
    unsure: set[int] = field(default_factory=set)
    took_s: list[float] = field(default_factory=list)
    pauses_s: list[float] = field(default_factory=list)
    errors: list[KafkaUnreachable] = field(default_factory=list)
    number: int = 0

    async def request(self, number: int) -> None:
        started = time.monotonic()
        try:
            await self.broker.enqueue_async(dramatiq.Message("default", "work", (number,), {}, {}))
            self.published.add(number)
        except KafkaUnreachable as exc:
            self.errors.append(exc)
            if isinstance(exc, NotDelivered):
                self.unsure.add(number)
        self.took_s.append(time.monotonic() - started)

    async def tick(self) -> None:
        while True:
            with Stopwatch(os.getpid()) as tick:
                await asyncio.sleep(0.005)
            self.pauses_s.append(max(0.0, tick.took_s - 0.005))

    @asynccontextmanager
    async def under_load(self) -> AsyncIterator[None]:
        """Requests come inside the block; its end waits for their answers."""
        requests: list[asyncio.Task[None]] = []

        async def load() -> None:
            while True:
                self.number += 1
                requests.append(asyncio.create_task(self.request(self.number)))
                await asyncio.sleep(1 / RATE)

        background = [asyncio.create_task(load()), asyncio.create_task(self.tick())]
        yield
        background[0].cancel()
        await asyncio.wait_for(asyncio.gather(*requests), SEND_TIMEOUT_S + 2 * MARGIN_S)
        background[1].cancel()


def cluster_at(address: str) -> Cluster:
    return Cluster((address,), connect_timeout_s=1, send_timeout_s=SEND_TIMEOUT_S)


@pytest.mark.long
def test_a_warm_server_goes_on_while_kafka_is_frozen_killed_and_back(tmp_path: Path, namespace: str) -> None:
    kafka = LocalKafka(port=free_port(), data_dir=tmp_path / "kafka")
    kafka.start()
    broker = KafkaBroker(cluster_at(kafka.bootstrap_servers), namespace=namespace, partitions=2)
    broker.declare_queue("default")
    server = WebServer(broker)

    async def serve() -> None:
        await server.request(0)
        async with server.under_load():
            await freeze_kill_and_start(kafka, state_s=STATE_S)
            back = time.monotonic()
            while server.number - 1 not in server.published:
                assert time.monotonic() - back < 20, server.errors[-1]
                await asyncio.sleep(0.1)
            server.errors.clear()
            await asyncio.sleep(2)
            assert server.errors == []

    try:
        asyncio.run(serve())
        require_no_pause(server.pauses_s)
        assert max(server.took_s) < SEND_TIMEOUT_S + MARGIN_S
        records = read_topic(broker.cluster, broker.topics.jobs("default"))
        written = [dramatiq.Message.decode(record.value).args[0] for record in records]
        assert server.published <= set(written)
        assert set(written) <= server.published | server.unsure
        assert len(written) == len(set(written))
    finally:
        broker.close()
        kafka.stop()


def test_a_server_that_never_reached_kafka_answers_at_once(nowhere: str, namespace: str) -> None:
    broker = KafkaBroker(cluster_at(nowhere), namespace=namespace)
    broker.declare_queue("default")
    server = WebServer(broker)
    threads = 0

    async def serve() -> None:
        nonlocal threads
        async with server.under_load():
            await asyncio.sleep(STATE_S)
            threads = threading.active_count()

    before = threading.active_count()
    asyncio.run(serve())
    require_no_pause(server.pauses_s)
    assert len(server.errors) == server.number
    assert statistics.median(server.took_s) < 0.1
    assert max(server.took_s) < 1 + MARGIN_S
    assert any("tried again in" in str(error) for error in server.errors)
    assert threads - before <= 4  # one that connects, with what its client needs; not one for each request
