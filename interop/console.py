"""Kafka's console tools, from their jar and those of the local Kafka."""

from __future__ import annotations

import os
import shlex
from functools import cache
from pathlib import Path

from jgo.maven import MavenContext, PythonResolver

from interop.clients import Batch, Client, Read, Sent
from interop.programs import run
from workers.local_kafka.jars import KAFKA_VERSION, REPOSITORY_VARIABLE, default_cache_dir
from workers.local_kafka.java import find_java

_NULL, _KEY_END = "\\N", "\x01"


@cache
def _java() -> list[str]:
    """The start of a command line, up to the name of the tool's class."""
    mirror = os.environ.get(REPOSITORY_VARIABLE)
    context = MavenContext(
        resolver=PythonResolver(),
        repo_cache=default_cache_dir() / "tools",
        local_repos=[],
        remote_repos={"mirror": mirror.rstrip("/")} if mirror else None,
    )
    jar = context.create_dependency(f"org.apache.kafka:kafka-tools:{KAFKA_VERSION}").artifact.resolve()
    java = find_java(default_cache_dir().absolute())
    options = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m"]
    return [str(java.executable), *options, "-cp", f"{java.class_path}{os.pathsep}{jar}"]


def console_producer(folder: Path) -> Path:
    """A folder with `kafka-console-producer.sh`, as Kafka's archive has it."""
    bin_ = folder / "bin"
    bin_.mkdir()
    script = bin_ / "kafka-console-producer.sh"
    script.write_text(f'#!/bin/sh\nexec {shlex.join(_java())} org.apache.kafka.tools.ConsoleProducer "$@"\n')
    script.chmod(0o755)
    return bin_


class Console(Client):
    """kafka-console-producer.sh and kafka-console-consumer.sh."""

    has_transactions = False
    has_null_headers = False
    has_empty_keys = False

    def write(self, servers: str, topic: str, batch: Batch) -> None:
        properties = {
            "parse.key": "true",
            "parse.headers": "true",
            "key.separator": _KEY_END,
            "headers.delimiter": "\x02",
            "headers.separator": "\x03",
            "headers.key.separator": "\x04",
            "null.marker": _NULL,
        }
        told = [f"--reader-property={name}={value}" for name, value in properties.items()]
        command = ["org.apache.kafka.tools.ConsoleProducer", "--bootstrap-server", servers, "--topic", topic]
        more = [
            "--command-property",
            "max.request.size=2000000",
            "--compression-codec",
            batch.codec or "none",
        ]
        lines = b"".join(map(_line, batch.records))
        run([*_java(), *command, *more, *told], lines)

    def read(self, servers: str, topic: str, count: int) -> list[Read]:
        command = [
            "org.apache.kafka.tools.consumer.ConsoleConsumer",
            "--bootstrap-server",
            servers,
            "--topic",
            topic,
        ]
        more = ["--from-beginning", "--max-messages", str(count), "--formatter-property", "print.key=true"]
        out = run([*_java(), *command, *more, "--formatter-property", f"key.separator={_KEY_END}"])
        found = (line.split(_KEY_END.encode(), 1) for line in out.splitlines())
        return [Read(key, value) for key, value in found]


def _line(record: Sent) -> bytes:
    headers = b"\x03".join(name.encode() + b"\x04" + (value or b"") for name, value in record.headers)
    key, value = (_NULL.encode() if one is None else one for one in (record.key, record.value))
    return headers + b"\x02" + key + b"\x01" + value + b"\n"
