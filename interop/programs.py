"""Clients that are programs of their own, for Node.js and for a shell.

One for Node.js is told on its standard input what to do, as one JSON object: ``action`` (write or read),
``servers``, ``topic``, for writing ``records``, ``codec`` and ``transaction`` (null, commit or abort), for
reading ``count``. It prints a JSON object for each record that it has read.
"""

from __future__ import annotations

import json
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Sequence
from pathlib import Path

from interop.clients import Batch, Client, Read

NODE = Path(__file__).with_name("node")
_SECONDS = 60


class Node(Client):
    """A client for Node.js: one of the programs beside `package.json`."""

    def __init__(self, name: str, codecs: tuple[str, ...], *, has_null_headers: bool = True) -> None:
        self.has_null_headers = has_null_headers
        self._program = NODE / f"{name}.mjs"
        self.codecs = codecs

    def write(self, servers: str, topic: str, batch: Batch) -> None:
        coded = [
            {
                "key": _coded(one.key),
                "value": _coded(one.value),
                "headers": [(name, _coded(value)) for name, value in one.headers],
            }
            for one in batch.records
        ]
        self._run(
            action="write",
            servers=servers,
            topic=topic,
            codec=batch.codec,
            transaction=batch.transaction,
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

    def write(self, servers: str, topic: str, batch: Batch) -> None:
        for record in batch.records:
            options = ["-P", "-b", servers, "-t", topic, "-X", "partitioner=murmur2_random", "-D", "\x01"]
            options += ["-X", "message.max.bytes=2000000"]
            if batch.codec:
                options += ["-z", batch.codec]
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
