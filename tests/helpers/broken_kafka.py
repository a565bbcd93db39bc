"""A Kafka that is frozen, or killed and back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.helpers.waiting import wait_for
from workers.local_kafka import LocalKafka


def jvm(kafka: LocalKafka) -> psutil.Process:
    """The process of the broker itself, which is a child of the guard."""
    (process,) = psutil.Process(kafka.pid).children()
    return process


def kill(kafka: LocalKafka) -> None:
    """End the broker by SIGKILL; `LocalKafka.start` brings it back, with its data if it has a folder."""
    jvm(kafka).kill()
    kafka.wait()
    kafka.stop()


@contextmanager
def frozen(kafka: LocalKafka) -> Iterator[None]:
    """The broker answers nothing inside the block, as a machine that hangs; its connections stay open."""
    process = jvm(kafka)
    process.suspend()
    try:
        # The signal takes effect later than the call, and a thread that still runs may answer.
        wait_for(lambda: all(_is_stopped(process.pid, thread.id) for thread in process.threads()))
        yield
    finally:
        process.resume()


async def freeze_kill_and_start(kafka: LocalKafka, *, state_s: float) -> None:
    """Freeze the broker, let it go on for a second, kill it, start it again; each time it is away so long."""
    with frozen(kafka):
        await asyncio.sleep(state_s)
    await asyncio.sleep(1)
    await asyncio.to_thread(kill, kafka)
    await asyncio.sleep(state_s)
    await asyncio.to_thread(kafka.start)


def _is_stopped(pid: int, thread_id: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/task/{thread_id}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:  # the thread has ended since they were listed
        return False
    return status.rpartition(")")[2].split()[0] == "T"
