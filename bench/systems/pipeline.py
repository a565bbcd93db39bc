"""The chatbot's whole pipeline at a fixed rate: events in; mails at an SMTP server and audit rows out.

Each part is a process of its own, as in production: one worker (dramatiq's command), the mail server, and
this one, which publishes and watches. The database is an SQLite file.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import psutil

from ..errors import NotMeasured
from .dramatiq_common import THREADS

_START_S = 60.0


def run(address: str, namespace: str, per_minute: int, seconds: int) -> dict[str, float]:
    """Publish ``per_minute`` events for some seconds, and return what became of them and how long it took.

    Times are from when an event was to be published, in ms, so that what falls behind counts. Raises
    NotMeasured where the mails or the rows come to a halt.
    """
    with tempfile.TemporaryDirectory(prefix="bench-pipeline-") as name:
        folder = Path(name)
        with _mail_server(folder / "mails") as (port, mail_server):
            os.environ |= {
                "KAFKA_BOOTSTRAP_SERVERS": address,
                "KAFKA_NAMESPACE": namespace,
                "DATABASE_URL": f"sqlite:///{folder}/todo.db",
                "SMTP_HOST": "127.0.0.1",
                "SMTP_PORT": str(port),
            }
            # Only now: `tasks` reads the settings when it is imported.
            load = import_module("bench.systems.pipeline_load")
            load.prepare()
            with _worker(folder / "worker.log") as worker:
                cpu = _Cpu({"worker": worker, "mail_server": mail_server, "publisher": psutil.Process()})
                found: dict[str, float] = load.at_rate(per_minute / 60, seconds, folder)
                return found | cpu.per_second()


@contextmanager
def _mail_server(mails: Path) -> Iterator[tuple[int, psutil.Process]]:
    command = [sys.executable, "-m", "bench.systems.mail_counter", str(mails)]
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        yield int(server.stdout.readline()), psutil.Process(server.pid)
    finally:
        server.kill()
        server.wait()


@contextmanager
def _worker(log_file: Path) -> Iterator[psutil.Process]:
    """Run one worker process. It is stopped gracefully, so that nothing is under way afterwards."""
    command = [sys.executable, "-m", "dramatiq", "tasks", "--processes", "1", "--threads", str(THREADS)]
    with log_file.open("wb") as log:
        main = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + _START_S
        while b"ready for action" not in log_file.read_bytes():
            if main.poll() is not None or time.monotonic() > deadline:
                raise NotMeasured(f"the worker did not start: {log_file.read_text()[-500:]}")
            time.sleep(0.05)
        children = psutil.Process(main.pid).children()
        yield next(child for child in children if "resource_tracker" not in " ".join(child.cmdline()))
    finally:
        main.terminate()
        main.wait()


class _Cpu:
    """Measures how much of a processor each process uses from now on, in per cent."""

    def __init__(self, processes: dict[str, psutil.Process]) -> None:
        self._processes = processes
        self._before = self._now()
        self._began = time.monotonic()

    def per_second(self) -> dict[str, float]:
        elapsed = time.monotonic() - self._began
        return {
            f"{name}_cpu": 100 * (used - self._before[name]) / elapsed for name, used in self._now().items()
        }

    def _now(self) -> dict[str, float]:
        return {name: sum(process.cpu_times()[:2]) for name, process in self._processes.items()}
