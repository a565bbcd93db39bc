"""A worker that stalls is not taken for dead, and one that died is not taken for one that stalls."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import dramatiq
import pytest

from tests.helpers.fleet import Fleet
from tests.helpers.kafka_reading import letters_of
from tests.helpers.waiting import wait_for
from workers import KafkaBroker


def send(broker: KafkaBroker, numbers: range, pause_ms: int = 5) -> None:
    with broker.batch():
        for number in numbers:
            broker.enqueue(dramatiq.Message("default", "note", (number, pause_ms), {}, {}))


def share_the_work(broker: KafkaBroker, one: Fleet, other: Fleet) -> int:
    """Let both work; returns how many numbers they have noted: all below that."""
    for fleet in (one, other):
        fleet.wait_until_ready()
    sent = 0

    def both_have_worked() -> bool:
        nonlocal sent
        if len(one.numbers()) == sent:
            send(broker, range(sent, sent + 50))
            sent += 50
        return len(one.ran_in()) == 2

    wait_for(both_have_worked, timeout_s=60)
    wait_for(lambda: len(one.numbers()) == sent, timeout_s=60)
    return sent


def require_nothing_was_repeated(broker: KafkaBroker, one: Fleet, other: Fleet, count: int) -> None:
    broker.join("default", timeout=150_000)
    assert one.stop() == other.stop() == 0
    assert one.numbers() == dict.fromkeys(range(count), 1)
    assert letters_of(broker) == []


@pytest.mark.long
@pytest.mark.parametrize("stall_s", [5.0, 15.0, 40.0])
def test_a_job_that_holds_pythons_lock_for_long_is_not_repeated_and_nor_are_its_neighbours(
    broker: KafkaBroker, tmp_path: Path, stall_s: float
) -> None:
    with Fleet(broker, tmp_path, name="one") as one, Fleet(broker, tmp_path, name="other") as other:
        sent = share_the_work(broker, one, other)
        broker.enqueue(dramatiq.Message("default", "stall", (sent, stall_s), {}, {}))
        send(broker, range(sent + 1, sent + 300))
        require_nothing_was_repeated(broker, one, other, sent + 300)


@pytest.mark.long
def test_a_worker_that_is_frozen_for_15_s_repeats_nothing(broker: KafkaBroker, tmp_path: Path) -> None:
    with Fleet(broker, tmp_path, name="one") as one, Fleet(broker, tmp_path, name="other") as other:
        sent = share_the_work(broker, one, other)
        send(broker, range(sent, sent + 300), pause_ms=50)
        wait_for(lambda: len(one.numbers()) > sent + 20)
        (worker,) = one.ran_in().keys() & set(one.worker_pids)
        os.kill(worker, signal.SIGSTOP)
        # Else it could be one that had nothing in hand.
        assert len(one.numbers()) < sent + 300
        thaw = threading.Timer(15.0, os.kill, (worker, signal.SIGCONT))
        thaw.start()
        try:
            send(broker, range(sent + 300, sent + 400))
            require_nothing_was_repeated(broker, one, other, sent + 400)
        finally:
            thaw.cancel()


def test_the_jobs_of_a_worker_that_was_killed_run_long_before_its_session_has_run_out(
    broker: KafkaBroker, tmp_path: Path
) -> None:
    """0.7 to 3.4 s on a machine that does little else; the session is 45 s."""
    with Fleet(broker, tmp_path, name="one") as one, Fleet(broker, tmp_path, name="other") as other:
        sent = share_the_work(broker, one, other)
        one.kill_a_worker()
        killed_at = time.monotonic()
        send(broker, range(sent, sent + 100))
        wait_for(lambda: len(other.numbers()) == sent + 100, timeout_s=60)
        assert time.monotonic() - killed_at < 25
        assert other.stop() == 0
