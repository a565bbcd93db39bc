"""Several serving processes on one port: starts them, replaces one that dies, and ends them together."""

from __future__ import annotations

import logging
import multiprocessing
import time
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from settings import load_settings
from workers.runtime.stop_signals import StopSignals

from .process import Kind, Secrets, Status, serve, set_up_log

logger = logging.getLogger(__name__)

#: How long a process may take to end, beyond the time over which it sends its clients away.
_GRACE_S = 15.0
#: The pause before a process that died is replaced.
_AGAIN_S = 1.0
#: A process that has reported nothing for so long hangs: it reports each second.
_SILENT_S = 30.0
#: The same for one that starts: it imports much, and many may start at once on a slow machine.
_STARTS_WITHIN_S = 120.0


class Processes:
    """Serving processes, each with a socket of its own: the system spreads new connections among them."""

    def __init__(
        self, kind: Kind, secrets: Secrets, count: int, drain: timedelta, show: Callable[[Status], None]
    ) -> None:
        self._kind = kind
        self._secrets = secrets
        self._count = count
        self._ends_within_s = drain.total_seconds() + _GRACE_S
        self._show = show
        self._stop_signals = StopSignals()
        self._running: dict[Connection, SpawnProcess] = {}
        self._status: dict[Connection, Status] = {}
        self._heard_at: dict[Connection, float] = {}
        self._patience_s: dict[Connection, float] = {}

    def run(self) -> None:
        """Serve until SIGINT or SIGTERM, then send that to all and wait for their end."""
        self._stop_signals.listen()
        while not self._stop_signals.came:
            while len(self._running) < self._count:
                self._start()
            self._listen()
        self._end()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_serve, args=(self._kind, self._secrets, theirs))
        process.start()
        theirs.close()
        self._running[ours] = process
        self._heard_at[ours] = time.monotonic()
        self._patience_s[ours] = _STARTS_WITHIN_S

    def _listen(self) -> None:
        """Take in what the processes report; one whose pipe has ended is dead."""
        for pipe in wait(list(self._running), timeout=1.0):
            assert isinstance(pipe, Connection)
            try:
                self._status[pipe] = pipe.recv()
                self._heard_at[pipe] = time.monotonic()
                self._patience_s[pipe] = _SILENT_S
            except (EOFError, OSError):
                process = self._running.pop(pipe)
                del self._heard_at[pipe], self._patience_s[pipe]
                self._status.pop(pipe, None)
                process.join()
                self._note_end(process)
        self._kill_silent()
        if len(self._status) == self._count:
            self._show(_total(list(self._status.values())))
            self._status.clear()

    def _kill_silent(self) -> None:
        """Kill the processes that hang; their pipes end, so they are replaced."""
        now = time.monotonic()
        for pipe, process in self._running.items():
            patience_s = self._patience_s[pipe]
            if now - self._heard_at[pipe] >= patience_s and process.is_alive():
                logger.error("process.killed pid=%s: it reported nothing for %.0f s", process.pid, patience_s)
                process.kill()

    def _note_end(self, process: SpawnProcess) -> None:
        if not self._stop_signals.came:
            logger.error("process.died pid=%s exit=%s, another starts", process.pid, process.exitcode)
            self._stop_signals.wait(_AGAIN_S)

    def _end(self) -> None:
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            process.join(self._ends_within_s)
            if process.is_alive():
                logger.error("process.killed pid=%s: it did not end in time", process.pid)
                process.kill()
                process.join()


def _serve(kind: Kind, secrets: Secrets, pipe: Connection) -> None:
    set_up_log(load_settings().log_format)
    serve(kind, secrets, pipe.send)


def _total(statuses: list[Status]) -> Status:
    """The status of all processes: numbers added, and true only if it is so for all."""
    total: dict[str, object] = {"processes": len(statuses)}
    for name in statuses[0]:
        values = [status[name] for status in statuses]
        if all(isinstance(value, bool) for value in values):
            total[name] = all(values)
        elif name != "pid" and all(isinstance(value, int) for value in values):
            total[name] = sum(value for value in values if isinstance(value, int))
    return total
