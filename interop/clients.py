"""Other clients of Kafka for Python, each as it writes records into a topic and reads them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from confluent_kafka import Consumer, Producer

_SECONDS = 60

Transaction = Literal["commit", "abort"]


@dataclass(frozen=True, slots=True)
class Sent:
    """A record to write."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = field(default=())


@dataclass(frozen=True, slots=True)
class Read:
    """A record that was read."""

    key: bytes | None
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Batch:
    """What to write: records in their order, compressed, and in a transaction if it ends in some way."""

    records: Sequence[Sent]
    codec: str | None = None
    transaction: Transaction | None = None


class Client:
    """A client; one that lacks something says so by its attributes."""

    #: The codecs that it has here, beside none.
    codecs: tuple[str, ...] = ("gzip", "snappy", "lz4", "zstd")
    has_transactions = True
    #: Whether a header may have no value.
    has_null_headers = True
    #: Whether a key may be empty, which is not the same as none.
    has_empty_keys = True
    has_tombstones = True
    #: Whether keys and values may be any bytes, of several lines.
    has_any_bytes = True

    def write(self, servers: str, topic: str, batch: Batch) -> None:
        """Write the records, in order, each to the partition that Java's client would take for its key."""
        raise NotImplementedError

    def read(self, servers: str, topic: str, count: int) -> list[Read]:
        """Read a topic from its start, until ``count`` records have come."""
        raise NotImplementedError


class Confluent(Client):
    """confluent-kafka, that is librdkafka."""

    def write(self, servers: str, topic: str, batch: Batch) -> None:
        options: dict[str, Any] = {
            "bootstrap.servers": servers,
            "acks": "all",
            "partitioner": "murmur2_random",
            "compression.type": batch.codec or "none",
            "message.max.bytes": 2_000_000,
        }
        if batch.transaction:
            options["transactional.id"] = f"confluent-{topic}"
        producer = Producer(options)
        failures: list[object] = []
        if batch.transaction:
            producer.init_transactions(_SECONDS)
            producer.begin_transaction()
        for record in batch.records:
            producer.produce(
                topic,
                record.value,
                record.key,
                headers=list(record.headers),
                on_delivery=lambda error, _: failures.append(error) if error else None,
            )
        assert producer.flush(_SECONDS) == 0
        assert failures == []
        if batch.transaction == "commit":
            producer.commit_transaction(_SECONDS)
        elif batch.transaction:
            producer.abort_transaction(_SECONDS)

    def read(self, servers: str, topic: str, count: int) -> list[Read]:
        consumer = Consumer(
            {
                "bootstrap.servers": servers,
                "group.id": f"confluent-{topic}",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
            }
        )
        consumer.subscribe([topic])
        found: list[Read] = []
        try:
            while len(found) < count:
                batch = consumer.consume(count, _SECONDS)
                assert batch, f"only {len(found)} of {count} records came"
                found += [Read(one.key(), one.value()) for one in batch if one.error() is None]
        finally:
            consumer.close()
        return found


class Aiokafka(Client):
    """aiokafka."""

    has_null_headers = False  # its encoder wants bytes

    def write(self, servers: str, topic: str, batch: Batch) -> None:
        async def write() -> None:
            producer = AIOKafkaProducer(
                bootstrap_servers=servers,
                acks="all",
                compression_type=batch.codec,
                max_request_size=2_000_000,
                transactional_id=f"aiokafka-{topic}" if batch.transaction else None,
            )
            await producer.start()
            try:
                if batch.transaction:
                    await producer.begin_transaction()
                for record in batch.records:
                    await producer.send_and_wait(
                        topic, record.value, record.key, headers=list(record.headers)
                    )
                if batch.transaction == "commit":
                    await producer.commit_transaction()
                elif batch.transaction:
                    await producer.abort_transaction()
            finally:
                await producer.stop()

        asyncio.run(write())

    def read(self, servers: str, topic: str, count: int) -> list[Read]:
        async def read() -> list[Read]:
            consumer = AIOKafkaConsumer(
                topic, bootstrap_servers=servers, group_id=f"aiokafka-{topic}", auto_offset_reset="earliest"
            )
            await consumer.start()
            try:
                async with asyncio.timeout(_SECONDS):
                    found = [await consumer.getone() for _ in range(count)]
            finally:
                await consumer.stop()
            return [Read(one.key, one.value) for one in found]

        return asyncio.run(read())
