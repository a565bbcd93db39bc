"""The Procfile's workers, run by honcho as in production."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from .environment import PROCESSES
from .errors import DemoFailed

_PROCFILE = Path(__file__).with_name("Procfile")
_TETHER = Path(__file__).with_name("tether.py")
#: dramatiq's word that a worker process has started its threads.
_READY = "Worker process is ready for action"
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 25.0
_POLL_INTERVAL_S = 0.05


class WorkerFleet:
    """Runs while it is entered; ends with this process, however that ends."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self.log_file = folder / "workers.log"
        self._environment = os.environ | dict(variables)
        self._tether: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        honcho = [
            sys.executable,
            "-m",
            "honcho",
            "start",
            "-f",
            str(_PROCFILE),
            "-d",
            str(self.log_file.parent),
        ]
        with self.log_file.open("wb") as log:
            self._tether = subprocess.Popen(
                [sys.executable, str(_TETHER), *honcho, "worker"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )
        return self

    def wait_until_ready(self) -> None:
        """Wait until all worker processes run. Raises DemoFailed, with the log, where they end instead."""
        deadline = time.monotonic() + _START_TIMEOUT_S
        while self.log_file.read_text(errors="replace").count(_READY) < PROCESSES:
            self.require_running()
            if time.monotonic() > deadline:
                raise DemoFailed(f"the workers did not start within {_START_TIMEOUT_S:.0f} s", self.log_file)
            time.sleep(_POLL_INTERVAL_S)

    def require_running(self) -> None:
        """Raises DemoFailed where the workers have ended."""
        assert self._tether is not None
        status = self._tether.poll()
        if status is not None:
            raise DemoFailed(f"the workers ended with status {status}; the end of their log:", self.log_file)

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        assert self._tether is not None
        assert self._tether.stdin is not None
        self._tether.stdin.close()
        try:
            self._tether.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._tether.kill()
            self._tether.wait()
