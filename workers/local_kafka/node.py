"""One JVM of Kafka in a directory of its own: formats it, starts it under a guard, says why it ended."""

from __future__ import annotations

import errno
import os
import subprocess
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from ..errors import LocalKafkaError
from . import config
from .data_dir import DataDir
from .guard import STOP_TIMEOUT_S, guarded
from .ports import PortTaken

#: How long a JVM may take to start; on a busy machine it takes some 10 s.
_START_TIMEOUT_S = 90.0
_POLL_INTERVAL_S = 0.02


class Node:
    """One broker's process. It can be started again after its end, with the same data."""

    def __init__(self, data: DataDir) -> None:
        self.data = data
        self.guard: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int:
        """Process id of the guard, whose only child is the JVM."""
        assert self.guard is not None, "not started"
        return self.guard.pid

    @property
    def cluster_id(self) -> str | None:
        """The cluster that the directory is formatted for; None if it is not formatted."""
        if not is_formatted(self.data.path):
            return None
        pairs = (line.partition("=") for line in _meta(self.data.path).read_text().splitlines())
        return {name: value for name, _, value in pairs}.get("cluster.id")

    def format(
        self, java: Sequence[str], options: Sequence[str] = (), *, cluster_id: str | None = None
    ) -> None:
        """Prepare an empty directory, for a new cluster if none is named; one that has data is left alone.

        Raises LocalKafkaError.
        """
        if is_formatted(self.data.path):
            return
        cluster_id = cluster_id or config.cluster_id(uuid.uuid4())
        command = [*java, "kafka.tools.StorageTool", "format", *options]
        command += ["--cluster-id", cluster_id, "--config", config.PROPERTIES_FILE]
        try:
            formatted = subprocess.run(
                command,
                cwd=self.data.path,
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

    def spawn(self, java: Sequence[str]) -> None:
        """Start it, and return at once."""
        self._log_start = self.data.log_size()
        temporary = str(self.data.path) if self.data.is_temporary else ""
        with self.data.log_file.open("ab") as log:
            self.guard = subprocess.Popen(
                guarded([*java, "kafka.Kafka", config.PROPERTIES_FILE], temporary=temporary),
                cwd=self.data.path,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                # The guard holds the directory as long as the JVM may run.
                pass_fds=[self.data.lock_fd],
            )

    def wait_until_started(self) -> None:
        """Wait until it takes connections.

        Raises PortTaken if another process was faster to take one of its ports, and LocalKafkaError.
        """
        assert self.guard is not None, "not started"
        deadline = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline:
            log = self.data.log_since(self._log_start)
            if config.STARTED in log:
                return
            if self.guard.poll() is not None:
                raise self._died(log)
            time.sleep(_POLL_INTERVAL_S)
        raise LocalKafkaError(
            f"Kafka did not start within {_START_TIMEOUT_S:.0f} s; its log is {self.data.kept_log()}"
        )

    def ask_to_end(self) -> None:
        """Tell it to end, and do not wait for that."""
        if self.guard is not None and self.guard.poll() is None:
            self.guard.terminate()

    def end(self) -> None:
        """End it; its data stays. Does nothing if it is not running."""
        guard, self.guard = self.guard, None
        if guard is None:
            return
        try:
            # Closing the pipe is not enough: a process that was forked meanwhile can hold it open.
            guard.communicate(b"stop", STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            guard.kill()
            guard.communicate()

    def _died(self, log: str) -> LocalKafkaError:
        if config.NO_SPACE in log:
            return self.data.error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        if (port := config.taken_port(log)) is not None:
            return PortTaken(port)
        where = f"; its log is {self.data.kept_log()}" if self.data.log_file.exists() else ""
        return LocalKafkaError(f"Kafka ended while it started: {config.last_errors(log)}{where}")


def is_formatted(folder: Path) -> bool:
    """Whether a broker keeps its topics there."""
    return _meta(folder).exists()


def _meta(folder: Path) -> Path:
    return folder / config.LOG_DIR / "meta.properties"
