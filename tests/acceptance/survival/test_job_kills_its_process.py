"""A job that ends its own process, among many that do not."""

from __future__ import annotations

from pathlib import Path

import dramatiq

from tests.helpers.fleet import Fleet
from tests.helpers.kafka_reading import letters_of
from tests.helpers.waiting import wait_for
from workers import KafkaBroker
from workers.dead_letters.letter import Reason

JOBS = 1_000
KILLER = 500


def deaths(folder: Path) -> int:
    """How often the job has ended its process."""
    noted = folder / "numbers.deaths"
    return len(noted.read_text().splitlines()) if noted.exists() else 0


def test_a_job_that_kills_its_process_is_given_up_and_takes_no_other_with_it(
    broker: KafkaBroker, tmp_path: Path
) -> None:
    with broker.batch():
        for number in range(JOBS):
            actor = "exit_at_once" if number == KILLER else "note"
            broker.enqueue(dramatiq.Message[None]("default", actor, (number,), {}, {}))
    with Fleet(broker, tmp_path, processes=2) as fleet:
        deaths_before = 0

        def all_are_done() -> bool:
            nonlocal deaths_before
            if fleet.has_ended():
                deaths_before = deaths(tmp_path)
                fleet.start()
            # A fleet of which a process has died ends, though its main process may not have seen it yet.
            is_ending = deaths(tmp_path) > deaths_before
            return not is_ending and bool(letters_of(broker)) and len(fleet.numbers()) >= JOBS - 1

        wait_for(all_are_done, timeout_s=160)
        fleet.wait_until_ready()
        broker.join("default", timeout=60_000)
        assert fleet.stop() == 0
        numbers = fleet.numbers()
    (letter,) = letters_of(broker)
    assert (letter.reason, letter.actor) == (Reason.CRASHED, "exit_at_once")
    assert deaths(tmp_path) == 3
    assert set(numbers) == set(range(JOBS)) - {KILLER}
