"""A real Apache Kafka on this machine, from pip alone: for development, demos and tests.

One node, broker and controller in one JVM, on 127.0.0.1. The JVM is a child of a small guard process
(`workers.local_kafka.guard`) that ends it when this process ends, however it ends.
"""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from ..errors import LocalKafkaError
from . import config
from .data_dir import DataDir
from .guard import STOP_TIMEOUT_S, guarded
from .jars import default_cache_dir, locked, say
from .java import Java, find_java
from .ports import free_ports, port_error

logger = logging.getLogger(__name__)

#: How long the JVM may take to start; on a busy machine it takes some 10 s.
_START_TIMEOUT_S = 90.0
_POLL_INTERVAL_S = 0.02
#: Another process can take a free port before Kafka has it.
_PORT_TRIES = 5


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
        self._scram_users = dict(scram_users or {})
        self._cache_dir = cache_dir
        self._port: int | None = None
        self._guard: subprocess.Popen[bytes] | None = None

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
        assert self._guard is not None, "not started"
        return self._guard.pid

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
            java = find_java(cache)
            if not record and not java.archive.exists():
                _archive_classes(java, cache)
            for left in reversed(range(_PORT_TRIES)):
                if self._start_on_ports(java.command(record=record), last_try=left == 0):
                    return
        except OSError as exc:
            self.stop()
            raise self._data.error(exc) from exc
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the broker and remove a temporary data directory. Does nothing if it is not running."""
        self._end_guard()
        self._data.close()

    def wait(self) -> int:
        """Wait until the broker ends by itself; returns its exit status."""
        assert self._guard is not None, "not started"
        return self._guard.wait()

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

    def _end_guard(self) -> None:
        guard, self._guard = self._guard, None
        if guard is None:
            return
        try:
            # Closing the pipe is not enough: a process that was forked meanwhile can hold it open.
            guard.communicate(b"stop", STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            guard.kill()
            guard.communicate()

    def _start_on_ports(self, java: list[str], *, last_try: bool) -> bool:
        """Start on the chosen or on free ports; False if another process took one of them first."""
        ports = free_ports(self._chosen_port)
        self._port = ports.client
        properties = self.data_dir / config.PROPERTIES_FILE
        properties.write_text(config.server_properties(ports, self._scram_users))
        self._format(java)
        log_start = self._data.log_size()
        self._spawn([*java, "kafka.Kafka", config.PROPERTIES_FILE])
        deadline = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline:
            log = self._data.log_since(log_start)
            if config.STARTED in log:
                return True
            assert self._guard is not None
            if self._guard.poll() is not None:
                if config.taken_port(log) not in (None, self._chosen_port) and not last_try:
                    self._end_guard()
                    return False
                raise self._died(log)
            time.sleep(_POLL_INTERVAL_S)
        raise LocalKafkaError(
            f"Kafka did not start within {_START_TIMEOUT_S:.0f} s; its log is {self._data.kept_log()}"
        )

    def _format(self, java: list[str]) -> None:
        if (self.data_dir / config.LOG_DIR / "meta.properties").exists():
            return
        command = [*java, "kafka.tools.StorageTool", "format", "--standalone"]
        command += ["--cluster-id", config.cluster_id(uuid.uuid4()), "--config", config.PROPERTIES_FILE]
        command += config.scram_arguments(self._scram_users)
        try:
            formatted = subprocess.run(
                command,
                cwd=self.data_dir,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
        except OSError as exc:
            raise LocalKafkaError(f"Java cannot be run: {command[0]}: {exc.strerror or exc}") from exc
        if formatted.returncode != 0:
            raise self._died(formatted.stdout)

    def _spawn(self, command: list[str]) -> None:
        temporary = str(self.data_dir) if self._data.is_temporary else ""
        with self.log_file.open("ab") as log:
            self._guard = subprocess.Popen(
                guarded(command, temporary=temporary),
                cwd=self.data_dir,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                # The guard holds the directory as long as the JVM may run.
                pass_fds=[self._data.lock_fd],
            )

    def _died(self, log: str) -> LocalKafkaError:
        if config.NO_SPACE in log:
            return self._data.error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        if (port := config.taken_port(log)) is not None:
            return port_error(port)
        where = f"; its log is {self._data.kept_log()}" if self.log_file.exists() else ""
        return LocalKafkaError(f"Kafka ended while it started: {config.last_errors(log)}{where}")


def _archive_classes(java: Java, cache: Path) -> None:
    """Start Kafka once to make the archive for quick starts; without it, starts are only slower."""
    try:
        with locked(cache):
            if java.archive.exists():
                return
            say("Preparing Apache Kafka for quick starts (about 10 s, once)")
            kafka = LocalKafka(cache_dir=cache)
            kafka._start(record=True)
            kafka.stop()
            java.write_archive()
    except LocalKafkaError as exc:
        logger.debug("no archive of classes: %s", exc)
