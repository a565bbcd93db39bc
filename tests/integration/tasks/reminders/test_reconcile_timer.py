"""Who reconciles the reminders: of any number of workers one, at their start and every hour."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from tasks.reminders.reconcile_timer import START_GAP, ReconcileTimer
from tasks.storage.database import Database
from tasks.storage.shared_work import SharedWork
from tests.helpers.reminder_world import NOW
from tests.helpers.waiting import wait_for
from workers.errors import KafkaUnreachable

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def work(database: Database) -> SharedWork:
    return SharedWork(database, "reconcile reminders")


def test_one_of_all_begins_it_and_nobody_else_for_an_hour(database: Database) -> None:
    assert work(database).begin(NOW, HOUR)
    assert not work(database).begin(NOW, HOUR)
    assert not work(database).begin(NOW + HOUR - SECOND, HOUR)
    assert SharedWork(database, "another").begin(NOW, HOUR)
    assert work(database).begin(NOW + HOUR, HOUR)
    assert not work(database).begin(NOW + HOUR, HOUR)


def test_it_can_be_given_back(database: Database) -> None:
    assert work(database).begin(NOW, HOUR)
    work(database).give_back()
    assert work(database).begin(NOW, HOUR)


def test_a_clock_that_was_wrong_does_not_stop_it_for_good(database: Database) -> None:
    assert work(database).begin(NOW + timedelta(days=900), HOUR)
    assert work(database).begin(NOW, HOUR)


def test_many_that_ask_at_once_are_one(database_url: str) -> None:
    databases = [Database(database_url) for _ in range(5)]
    for number in range(10):
        start = threading.Barrier(len(databases))

        def begin(database: Database, number: int = number, start: threading.Barrier = start) -> bool:
            start.wait(30)
            return work(database).begin(NOW + number * HOUR, HOUR)

        with ThreadPoolExecutor(len(databases)) as threads:
            assert sum(threads.map(begin, databases)) == 1
    for database in databases:
        database.dispose()


def test_workers_that_start_together_reconcile_once_and_one_that_starts_later_again(
    database: Database,
) -> None:
    enqueued: list[int] = []
    watches = [
        ReconcileTimer(lambda: work(database), lambda number=number: enqueued.append(number), HOUR)  # type: ignore[misc]
        for number in range(3)
    ]
    assert [timer.check(NOW, at_start=True) for timer in watches] == [True, False, False]
    assert not watches[1].check(NOW + HOUR - SECOND, at_start=False)
    assert watches[2].check(NOW + HOUR - SECOND, at_start=True), "an hour is for those that run"
    assert not watches[0].check(NOW + HOUR - SECOND + START_GAP, at_start=False)
    assert watches[1].check(NOW + 2 * HOUR, at_start=False)
    assert enqueued == [0, 2, 1]


def test_where_kafka_is_away_it_is_still_time(database: Database) -> None:
    def away() -> None:
        raise KafkaUnreachable

    with pytest.raises(KafkaUnreachable):
        ReconcileTimer(lambda: work(database), away, HOUR).check(NOW, at_start=True)
    assert ReconcileTimer(lambda: work(database), lambda: None, HOUR).check(NOW, at_start=True)


def test_a_watch_goes_on_while_the_database_is_away(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "later"
    database = Database(f"sqlite:///{folder}/todo.db")
    enqueued: list[str] = []
    timer = ReconcileTimer(
        lambda: work(database), lambda: enqueued.append("reconcile"), timedelta(milliseconds=50)
    )
    timer.start()
    try:
        wait_for(lambda: "reminders not reconciled" in caplog.text)
        folder.mkdir()
        wait_for(lambda: len(enqueued) > 1)
    finally:
        timer.stop()
        timer.join()
    database.dispose()
    assert "unable to open database file" in caplog.text
