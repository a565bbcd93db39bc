"""Worker processes as an operator starts them, with dramatiq's command; and what they use."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from ..errors import NotMeasured

_START_S = 60.0
#: What the log of each process says once it takes jobs.
READY = "ready for action"


class WorkerProcesses:
    """Some worker processes that are ready."""

    def __init__(self, processes: Sequence[psutil.Process]) -> None:
        self._processes = processes

    def cpu_s(self) -> float:
        """Processor seconds that they have used since they were started, the command itself not counted."""
        return sum(sum(process.cpu_times()[:2]) for process in self._processes)

    def memory_mb(self) -> float:
        """Their resident memory."""
        return sum(process.memory_info().rss for process in self._processes) / 1e6

    def threads(self) -> int:
        """How many threads they have."""
        return sum(process.num_threads() for process in self._processes)

    def connections_to(self, address: str) -> int:
        """How many connections to the server at ``host:port`` they have open."""
        port = int(address.rpartition(":")[2])
        return sum(
            bool(connection.raddr) and connection.raddr.port == port
            for process in self._processes
            for connection in process.net_connections("tcp")
        )


@contextmanager
def worker_processes(module: str, processes: int, threads: int) -> Iterator[WorkerProcesses]:
    """Start workers for ``module``; they are ready. They are stopped in the end, gracefully.

    Raises NotMeasured if they do not start.
    """
    command = [sys.executable, "-m", "dramatiq", module]
    command += ["--processes", str(processes), "--threads", str(threads)]
    with tempfile.TemporaryDirectory(prefix="bench-workers-") as folder:
        log_file = Path(folder) / "log"
        with log_file.open("wb") as log:
            main = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + _START_S
            while log_file.read_text(errors="replace").count(READY) < processes:
                if main.poll() is not None or time.monotonic() > deadline:
                    raise NotMeasured(f"the workers did not start: {log_file.read_text()[-500:]}")
                time.sleep(0.05)
            yield WorkerProcesses(children_of(psutil.Process(main.pid)))
        finally:
            main.terminate()
            main.wait()


def children_of(main: psutil.Process) -> list[psutil.Process]:
    """The processes of dramatiq's command that do the jobs: not the one that is Python's own."""
    return [one for one in main.children() if "resource_tracker" not in " ".join(one.cmdline())]
