"""The parent's side of a measured process: started fresh, bounded in time, always ended."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

_ROOT = Path(__file__).parents[1]
_SAMPLE_INTERVAL_S = 0.05
_STOP_TIMEOUT_S = 15.0
_MEGABYTE = 1_000_000


class ChildFailed(Exception):
    """A measured process raised, ended early, or took too long."""


class Child:
    """A process that runs one role of `bench.roles`; a context manager that ends it, whatever happens."""

    def __init__(self, role: str, **parameters: Any) -> None:
        self.name = " ".join([role, *(str(value) for value in parameters.values() if isinstance(value, str))])
        self._command = [sys.executable, "-m", "bench.child", role, json.dumps(parameters)]
        self._events: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed on exit
        #: Resident memory in MB, by the machine's monotonic time, as sampled while waiting for an event.
        self.memory: list[tuple[float, float]] = []

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,  # Ctrl-C is the parent's, which then ends all in order
        )
        self._watched = psutil.Process(self._process.pid)
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.ask_to_stop()
        if not self._ends_within(_STOP_TIMEOUT_S if exc is None else 1.0):
            self._process.terminate()
            if not self._ends_within(5.0):
                self._process.kill()
                self._process.wait()
        self._log.close()

    def event(self, name: str, timeout_s: float) -> dict[str, Any]:
        """Wait for the child's next event, which must be ``name``. Raises ChildFailed."""
        deadline = time.monotonic() + timeout_s
        while True:
            self._sample()
            try:
                event = self._events.get(timeout=_SAMPLE_INTERVAL_S)
            except queue.Empty:
                if time.monotonic() < deadline:
                    continue
                raise ChildFailed(
                    f"{self.name}: not {name} within {timeout_s:g} s{self._log_tail()}"
                ) from None
            if event is None:
                raise ChildFailed(f"{self.name}: ended before it was {name}{self._log_tail()}")
            if event["event"] == "failed":
                raise ChildFailed(str(event["error"]))
            if event["event"] != name:
                raise ChildFailed(f"{self.name}: expected to be {name}, is {event['event']}")
            return event

    def ask_to_stop(self) -> None:
        """Let the role end; it may still report events."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._events.put(json.loads(line))
        self._events.put(None)

    def _sample(self) -> None:
        try:
            self.memory.append((time.monotonic(), self._watched.memory_info().rss / _MEGABYTE))
        except psutil.Error:
            return

    def _ends_within(self, timeout_s: float) -> bool:
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _log_tail(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return f"; its last words: {lines[-1]}" if lines else ""


def result_of(role: str, timeout_s: float, **parameters: Any) -> dict[str, Any]:
    """Run a role to its end and return what it reports when it is done. Raises ChildFailed."""
    with Child(role, **parameters) as child:
        return child.event("done", timeout_s)
