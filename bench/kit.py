"""The kit for measuring: Kafka, Redis, and how much of everything."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from kafka.errors import UnknownTopicOrPartitionError

from workers import Cluster
from workers.kafka import connect_admin
from workers.local_kafka.server import LocalKafka

from .errors import NotMeasured
from .web_server import free_port

logger = logging.getLogger(__name__)

_REDIS_START_S = 10.0


@dataclass(frozen=True, slots=True)
class Kit:
    """The addresses of the services; ``quick`` measures less of everything.

    ``minutes`` is how long a benchmark goes on that looks at what changes over time; None: as it thinks fit.
    """

    kafka: str
    redis_or_error: tuple[str | None, str]
    quick: bool
    prefix: str
    minutes: int | None = None

    @property
    def redis(self) -> str:
        """The URL of the Redis server. Raises NotMeasured if there is none."""
        url, error = self.redis_or_error
        if url is None:
            raise NotMeasured(error)
        return url

    def namespace(self) -> str:
        """A new namespace; its topics are deleted after the benchmark."""
        return f"{self.prefix}-{uuid.uuid4().hex[:8]}"

    def amount(self, full: int, quick: int) -> int:
        """``full``, or ``quick`` with ``--quick``."""
        return quick if self.quick else full

    def delete_topics(self) -> None:
        """Delete the topics of all namespaces that were used so far."""
        with connect_admin(Cluster((self.kafka,))) as admin:
            topics = [topic for topic in admin.list_topics() if topic.startswith(self.prefix)]
            if topics:
                with suppress(UnknownTopicOrPartitionError):  # some are on their way out already
                    admin.delete_topics(topics)


@contextmanager
def kit(*, quick: bool, minutes: int | None = None) -> Iterator[Kit]:
    """Start Kafka, unless KAFKA_BOOTSTRAP_SERVERS names one, and a Redis server; stop both at the end."""
    with ExitStack() as stack:
        kafka = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
        if not kafka:
            kafka = stack.enter_context(LocalKafka()).bootstrap_servers
        made = Kit(kafka, stack.enter_context(_redis()), quick, f"bench-{uuid.uuid4().hex[:6]}", minutes)
        stack.callback(made.delete_topics)
        yield made


@contextmanager
def _redis() -> Iterator[tuple[str | None, str]]:
    """Start a Redis server on a free port; yields its URL, or why there is none."""
    program = shutil.which("redis-server")
    if program is None:
        yield None, "not installed: redis-server (Debian: apt-get install redis-server)"
        return
    port = free_port()
    with TemporaryDirectory(prefix="bench-redis-") as folder, (Path(folder) / "redis.log").open("wb") as log:
        # Nothing is written to disk: Redis at its quickest, and less durable than Kafka.
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        server = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            if _answers(port, server):
                yield f"redis://127.0.0.1:{port}", ""
            else:
                yield None, f"redis-server does not answer, its exit status is {server.poll()}"
        finally:
            server.terminate()
            server.wait()


def _answers(port: int, server: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + _REDIS_START_S
    while server.poll() is None and time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                if connection.recv(16).startswith(b"+PONG"):
                    return True
        except OSError:
            time.sleep(0.02)
    return False
