"""Workers that die: nothing is lost, and only what was in flight is repeated."""

from __future__ import annotations

from pathlib import Path

import dramatiq
import pytest

from tests.helpers.fleet import Fleet
from tests.helpers.waiting import wait_for
from workers import KafkaBroker

JOBS = 2_000


def send_numbers(broker: KafkaBroker, numbers: range, pause_ms: int = 5) -> None:
    with broker.batch():
        for number in numbers:
            broker.enqueue(dramatiq.Message("default", "note", (number, pause_ms), {}, {}))


def test_a_worker_killed_in_the_middle_of_2000_jobs_loses_none(broker: KafkaBroker, tmp_path: Path) -> None:
    send_numbers(broker, range(JOBS))
    with Fleet(broker, tmp_path) as fleet:
        wait_for(lambda: len(fleet.numbers()) > JOBS // 4)
        fleet.kill_a_worker()
        assert fleet.wait() != 0
        ran_before = len(fleet.numbers())
        assert ran_before < JOBS, "the worker was killed too late to show anything"

        fleet.start()
        broker.join("default", timeout=60_000)
        assert fleet.stop() == 0
        numbers = fleet.numbers()
    assert set(numbers) == set(range(JOBS))


@pytest.mark.long
def test_a_graceful_restart_repeats_nothing(broker: KafkaBroker, tmp_path: Path) -> None:
    send_numbers(broker, range(JOBS))
    with Fleet(broker, tmp_path) as fleet:
        wait_for(lambda: len(fleet.numbers()) > JOBS // 4)
        assert fleet.stop() == 0
        assert len(fleet.numbers()) < JOBS, "the worker was stopped too late to show anything"

        fleet.start()
        broker.join("default", timeout=60_000)
        assert fleet.stop() == 0
        assert fleet.numbers() == dict.fromkeys(range(JOBS), 1)
