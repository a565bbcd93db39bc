"""The programs of the Procfile, run as in production."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from workers.errors import WorkersError
from workers.local_kafka.guard import STOP_TIMEOUT_S, guarded

_PROCFILE = Path(__file__).with_name("Procfile")
#: dramatiq logs it when a worker process has started its threads.
_READY = "Worker process is ready for action"
_START_TIMEOUT_S = 60.0
_POLL_INTERVAL_S = 0.05
_ALIVE_INTERVAL_S = 0.2


class DemoFailed(WorkersError):
    """The demo could not go on; ``log_file`` says more."""

    def __init__(self, message: str, log_file: Path) -> None:
        super().__init__(message)
        self.log_file = log_file

    def log_tail(self, lines: int = 15) -> str:
        """The last lines of the log file."""
        if not self.log_file.exists():
            return ""
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-lines:])


class Program:
    """A line of the Procfile. It runs while it is entered, and ends with this process, however that ends."""

    def __init__(self, line: str, folder: Path, variables: Mapping[str, str]) -> None:
        self.log_file = folder / f"{line}.log"
        self._line = line
        self._environment = os.environ | dict(variables)
        self._guard: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        lines = _PROCFILE.read_text().splitlines()
        start = f"{self._line}: "
        command = next(line for line in lines if line.startswith(start)).removeprefix(start)
        with self.log_file.open("wb") as log:
            self._guard = subprocess.Popen(
                guarded(["/bin/sh", "-c", f"exec {command}"]),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )
        return self

    def wait_until(self, is_ready: Callable[[], bool]) -> None:
        """Wait until it is ready. Raises DemoFailed, with the log, if it ends instead."""
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not is_ready():
            self.require_running()
            if time.monotonic() > deadline:
                raise DemoFailed(f"{self._line} did not start within {_START_TIMEOUT_S:.0f} s", self.log_file)
            time.sleep(_POLL_INTERVAL_S)

    def require_running(self) -> None:
        """Raise DemoFailed if it has ended."""
        assert self._guard is not None
        status = self._guard.poll()
        if status is not None:
            raise DemoFailed(f"{self._line} ended with status {status}; the end of its log:", self.log_file)

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        assert self._guard is not None
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        try:
            self._guard.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait()


def wait_for_workers(fleet: Program, processes: int) -> None:
    """Wait until all worker processes run. Raises DemoFailed, with the log, if they end instead."""
    fleet.wait_until(lambda: fleet.log_file.read_text(errors="replace").count(_READY) >= processes)


def keep_running(*programs: Program) -> None:
    """Wait until the process that started this one is gone. Raises DemoFailed if one of the programs ends.

    Ctrl-C and SIGTERM end it with a KeyboardInterrupt; the death of the starting process sends nothing.
    """
    parent = os.getppid()
    while os.getppid() == parent:
        for program in programs:
            program.require_running()
        time.sleep(_ALIVE_INTERVAL_S)
