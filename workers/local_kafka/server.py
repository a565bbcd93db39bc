"""A real Apache Kafka on this machine, from pip alone: for development, demos and tests.

One node, broker and controller in one JVM, on 127.0.0.1. The JVM is a child of a small guard process
(`workers.local_kafka.guard`) that ends it when this process ends, however it ends.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from ..errors import LocalKafkaError
from . import config
from .data_dir import DataDir
from .jars import default_cache_dir, locked, say
from .java import Java, find_java
from .node import Node
from .ports import free_ports, start_on_free_ports

logger = logging.getLogger(__name__)


class LocalKafka:
    """One Kafka broker; use it as a context manager, or call :meth:`start` and :meth:`stop`.

    Parameters:
        port: of the listener for clients; None takes a free one.
        data_dir: kept between starts, with its topics and users; None takes a temporary one.
        scram_users: names and passwords; clients then log in with SASL_PLAINTEXT by SCRAM-SHA-512,
            SCRAM-SHA-256 or PLAIN, ``admin`` may do everything, and others what ACLs allow. A kept directory
            keeps its first SCRAM users.
        cache_dir: where the downloaded jars are.
    """

    def __init__(
        self,
        *,
        port: int | None = None,
        data_dir: Path | None = None,
        scram_users: Mapping[str, str] | None = None,
        cache_dir: Path | None = None,
    ) -> None:
        self._chosen_port = port
        self._data = DataDir(data_dir)
        self._node = Node(self._data)
        self._scram_users = dict(scram_users or {})
        self._cache_dir = cache_dir
        self._port: int | None = None

    @property
    def bootstrap_servers(self) -> str:
        """Address for clients, once it has started."""
        assert self._port is not None, "not started"
        return f"127.0.0.1:{self._port}"

    @property
    def data_dir(self) -> Path:
        return self._data.path

    @property
    def log_file(self) -> Path:
        return self._data.log_file

    @property
    def pid(self) -> int:
        """Process id of the guard."""
        return self._node.pid

    def start(self) -> None:
        """Start and wait until it takes connections. Raises LocalKafkaError; then nothing is left running."""
        self._start(record=False)

    def _start(self, *, record: bool) -> None:
        cache = (self._cache_dir or default_cache_dir()).absolute()
        try:
            # First whatever can fail on this machine, then a download.
            self._data.open()
            if self._chosen_port is not None:
                free_ports(self._chosen_port)
            java = (find_java if record else prepared_java)(cache).command(record=record)
            start_on_free_ports(partial(self._start_on_ports, java), self._node.end, {self._chosen_port})
        except OSError as exc:
            self.stop()
            raise self._data.error(exc) from exc
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the broker and remove a temporary data directory. Does nothing if it is not running."""
        self._node.end()
        self._data.close()

    def wait(self) -> int:
        """Wait until the broker ends by itself; returns its exit status."""
        assert self._node.guard is not None, "not started"
        return self._node.guard.wait()

    def log_tail(self) -> str:
        """The end of the log as one line: its last errors, if it has any."""
        return config.last_errors(self._data.log_since(0))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.stop()

    def _start_on_ports(self, java: Sequence[str]) -> None:
        ports = free_ports(self._chosen_port)
        self._port = ports.client
        properties = self.data_dir / config.PROPERTIES_FILE
        properties.write_text(config.server_properties(ports, self._scram_users))
        self._node.format(java, ["--standalone", *config.scram_arguments(self._scram_users)])
        self._node.spawn(java)
        self._node.wait_until_started()


def prepared_java(cache: Path) -> Java:
    """Java, Kafka's jars and the archive for quick starts; makes what is missing. Raises LocalKafkaError."""
    java = find_java(cache)
    if not java.archive.exists():
        _archive_classes(java, cache)
    return java


def _archive_classes(java: Java, cache: Path) -> None:
    """Start Kafka once to make the archive for quick starts; without it, starts are only slower."""
    try:
        with locked(cache):
            if java.archive.exists():
                return
            say("Preparing Apache Kafka for quick starts (about 10 s, once)")
            # Kept, as one whose data is thrown away is killed, and Java writes the recording when it ends.
            with TemporaryDirectory(prefix="local-kafka-") as kept:
                kafka = LocalKafka(cache_dir=cache, data_dir=Path(kept))
                kafka._start(record=True)
                kafka.stop()
            java.write_archive()
    except LocalKafkaError as exc:
        logger.debug("no archive of classes: %s", exc)
