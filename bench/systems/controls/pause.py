"""A fleet whose queue is paused while its jobs run. It is also the fleet's application, see FOLDER."""

from __future__ import annotations

import os
import struct
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dramatiq

from workers import Cluster, KafkaBroker
from workers.controls.controls import Change

from ...errors import NotMeasured
from ..worker_processes import worker_processes

#: The environment variables that name Kafka, and the folder where each process notes when its jobs start.
_ADDRESS, _NAMESPACE, _FOLDER = "BENCH_ADDRESS", "BENCH_NAMESPACE", "BENCH_FOLDER"
_THREADS = 4
#: Jobs are sent so often.
_STEP_S = 0.05
#: How long is looked, after the confirmation, for a job that starts all the same.
_LOOK_S = 2.0
_TIMEOUT_S = 30.0
_TIME = struct.Struct("d")


def pause(address: str, namespace: str, processes: int, jobs_per_s: int, seconds: float) -> dict[str, float]:
    """Pause the queue of a fleet that runs, and let it go on; counts the jobs that started in between."""
    with tempfile.TemporaryDirectory(prefix="bench-pause-") as folder:
        os.environ |= {_ADDRESS: address, _NAMESPACE: namespace, _FOLDER: folder}
        broker = make_app()
        broker.prepare()
        with (
            worker_processes(f"{__name__}:make_app", processes, _THREADS),
            _load(broker, jobs_per_s),
        ):
            _wait_for_all(broker, processes)
            rate = _rate(Path(folder), seconds)
            before = time.time()
            paused_ms, at = _confirmed(broker, broker.controls.pause("work", who="bench"), before)
            time.sleep(_LOOK_S)
            after = [each for each in _starts(Path(folder)) if each > at]
            before = time.time()
            resumed_ms, _ = _confirmed(broker, broker.controls.resume("work", who="bench"), before)
        return {
            "jobs_per_s": rate,
            "confirmed_ms": paused_ms,
            "resumed_ms": resumed_ms,
            "started_after": float(len(after)),
        }


def make_app() -> KafkaBroker:
    """Make the application: a job notes when it starts."""
    broker = KafkaBroker(Cluster((os.environ[_ADDRESS],)), namespace=os.environ[_NAMESPACE], partitions=16)
    dramatiq.set_broker(broker)
    folder = Path(os.environ[_FOLDER])
    files: dict[int, int] = {}

    @dramatiq.actor(broker=broker, queue_name="work", actor_name="work")
    def work(_number: int) -> None:
        now, pid = time.time(), os.getpid()
        if pid not in files:
            files[pid] = os.open(folder / str(pid), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(files[pid], _TIME.pack(now))

    return broker


@contextmanager
def _load(broker: KafkaBroker, jobs_per_s: int) -> Iterator[None]:
    stopping = threading.Event()

    def send() -> None:
        due = time.monotonic()
        while not stopping.wait(max(0.0, due - time.monotonic())):
            with broker.batch():
                for number in range(int(jobs_per_s * _STEP_S)):
                    broker.enqueue(dramatiq.Message("work", "work", (number,), {}, {}))
            due += _STEP_S

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        stopping.set()
        sender.join()


def _wait_for_all(broker: KafkaBroker, processes: int) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while (running := len(broker.controls.fleet())) < processes:
        if time.monotonic() > deadline:
            raise NotMeasured(f"{running} of {processes} workers have reported")
        time.sleep(_STEP_S)


def _rate(folder: Path, seconds: float) -> float:
    """Wait until jobs run in the fleet; then how many start in a second."""
    deadline = time.monotonic() + _TIMEOUT_S
    while not _starts(folder):
        if time.monotonic() > deadline:
            raise NotMeasured("no job has started")
        time.sleep(_STEP_S)
    before, began = len(_starts(folder)), time.monotonic()
    time.sleep(seconds)
    return (len(_starts(folder)) - before) / (time.monotonic() - began)


def _confirmed(broker: KafkaBroker, change: Change, began: float) -> tuple[float, float]:
    """How long the confirmation of all took, in ms, and when it was there."""
    found = broker.controls.wait_confirmed(change, _TIMEOUT_S)
    now = time.time()
    if not found.is_complete or not found.total:
        raise NotMeasured(str(found))
    return (now - began) * 1000, now


def _starts(folder: Path) -> list[float]:
    # A time is written in one piece.
    return [at for file in folder.iterdir() for (at,) in _TIME.iter_unpack(file.read_bytes())]
