"""Other clients of Kafka, each as it writes records into a topic and reads them.

A client that is a program of its own is told on its standard input what to do, as one JSON object:
``action`` (write or read), ``servers``, ``topic``, for writing ``records``, ``codec`` and ``transaction``
(null, commit or abort), for reading ``count``. It prints a JSON object for each record that it has read.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from confluent_kafka import Consumer, Producer

NODE = Path(__file__).with_name("node")
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

    def write(
        self,
        servers: str,
        topic: str,
        records: Sequence[Sent],
        codec: str | None = None,
        transaction: Transaction | None = None,
        /,
    ) -> None:
        """Write the records, in order, each to the partition that Java's client would take for its key."""
        raise NotImplementedError

    def read(self, servers: str, topic: str, count: int) -> list[Read]:
        """Read a topic from its start, until ``count`` records have come."""
        raise NotImplementedError


class Confluent(Client):
    """confluent-kafka, that is librdkafka."""

    def write(
        self,
        servers: str,
        topic: str,
        records: Sequence[Sent],
        codec: str | None = None,
        transaction: Transaction | None = None,
        /,
    ) -> None:
        options: dict[str, Any] = {
            "bootstrap.servers": servers,
            "acks": "all",
            "partitioner": "murmur2_random",
            "compression.type": codec or "none",
            "message.max.bytes": 2_000_000,
        }
        if transaction:
            options["transactional.id"] = f"confluent-{topic}"
        producer = Producer(options)
        failures: list[object] = []
        if transaction:
            producer.init_transactions(_SECONDS)
            producer.begin_transaction()
        for record in records:
            producer.produce(
                topic,
                record.value,
                record.key,
                headers=list(record.headers),
                on_delivery=lambda error, _: failures.append(error) if error else None,
            )
        assert producer.flush(_SECONDS) == 0
        assert failures == []
        if transaction == "commit":
            producer.commit_transaction(_SECONDS)
        elif transaction:
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

    def write(
        self,
        servers: str,
        topic: str,
        records: Sequence[Sent],
        codec: str | None = None,
        transaction: Transaction | None = None,
        /,
    ) -> None:
        async def write() -> None:
            producer = AIOKafkaProducer(
                bootstrap_servers=servers,
                acks="all",
                compression_type=codec,
                max_request_size=2_000_000,
                transactional_id=f"aiokafka-{topic}" if transaction else None,
            )
            await producer.start()
            try:
                if transaction:
                    await producer.begin_transaction()
                for record in records:
                    await producer.send_and_wait(
                        topic, record.value, record.key, headers=list(record.headers)
                    )
                if transaction == "commit":
                    await producer.commit_transaction()
                elif transaction:
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


class Node(Client):
    """A client for Node.js: one of the programs beside `package.json`."""

    def __init__(self, name: str, codecs: tuple[str, ...], *, has_null_headers: bool = True) -> None:
        self.has_null_headers = has_null_headers
        self._program = NODE / f"{name}.mjs"
        self.codecs = codecs

    def write(
        self,
        servers: str,
        topic: str,
        records: Sequence[Sent],
        codec: str | None = None,
        transaction: Transaction | None = None,
        /,
    ) -> None:
        coded = [
            {
                "key": _coded(one.key),
                "value": _coded(one.value),
                "headers": [(name, _coded(value)) for name, value in one.headers],
            }
            for one in records
        ]
        self._run(
            action="write",
            servers=servers,
            topic=topic,
            codec=codec,
            transaction=transaction,
            records=coded,
        )

    def read(self, servers: str, topic: str, count: int) -> list[Read]:
        lines = self._run(action="read", servers=servers, topic=topic, count=count).splitlines()
        found = map(json.loads, lines)
        return [Read(_decoded(one["key"]), _decoded(one["value"])) for one in found]

    def _run(self, **told: object) -> str:
        return run(["node", str(self._program)], json.dumps(told).encode()).decode()


class Kcat(Client):
    """kcat, a command line for librdkafka."""

    has_transactions = False
    has_null_headers = False
    has_empty_keys = False
    has_any_bytes = False

    def write(
        self,
        servers: str,
        topic: str,
        records: Sequence[Sent],
        codec: str | None = None,
        _transaction: Transaction | None = None,
        /,
    ) -> None:
        for record in records:
            options = ["-P", "-b", servers, "-t", topic, "-X", "partitioner=murmur2_random", "-D", "\x01"]
            options += ["-X", "message.max.bytes=2000000"]
            if codec:
                options += ["-z", codec]
            if record.key:
                options += ["-k", record.key.decode()]
            for name, value in record.headers:
                options += ["-H", f"{name}={(value or b'').decode()}"]
            if record.value is None:
                options += ["-Z"]
            run(["kcat", *options], record.value or b"\n")

    def read(self, servers: str, topic: str, count: int) -> list[Read]:
        out = run(["kcat", "-C", "-J", "-b", servers, "-t", topic, "-o", "beginning", "-c", str(count), "-e"])
        found = map(json.loads, out.decode().splitlines())
        return [
            Read(one["key"] and one["key"].encode(), one["payload"] and one["payload"].encode())
            for one in found
        ]


def _coded(data: bytes | None) -> str | None:
    return None if data is None else b64encode(data).decode()


def _decoded(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text)


def run(command: Sequence[str], told: bytes = b"") -> bytes:
    """The standard output of a program that must succeed."""
    done = subprocess.run(command, input=told, capture_output=True, timeout=_SECONDS, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr.decode(errors='replace')}"
    return done.stdout


CLIENTS: dict[str, Client] = {
    "confluent-kafka": Confluent(),
    "aiokafka": Aiokafka(),
    "kafkajs": Node("kafkajs", ("gzip",), has_null_headers=False),
    "platformatic": Node("platformatic", ("gzip", "snappy", "lz4")),
    "kcat": Kcat(),
}


@cache
def missing(name: str) -> str | None:
    """What a client needs that is not on this machine."""
    program = {"kafkajs": "node", "platformatic": "node", "kcat": "kcat"}.get(name)
    return None if program is None or shutil.which(program) else f"{program} is not on the PATH"
