"""The gauges of queues where a user may not read everything."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from tests.helpers.waiting import wait_for
from workers import KafkaBroker
from workers.controls.controls import Controls
from workers.controls.state import State
from workers.dead_letters.reader import Counts
from workers.errors import LogUnreadable, NotAuthorized
from workers.operations.queue_status import DelayedStatus, QueueStatus, StatusReader
from workers.serving.queue_gauges import QueueGauges

LETTERS = QueueStatus("letters", 1, 3, 1, 1, 0, None)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def refuse(*_: object) -> None:
    raise NotAuthorized("the user may not read that")


def cannot_read(*_: object) -> None:
    raise LogUnreadable("Kafka cannot read that")


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[KafkaBroker]:
    """A broker without Kafka: all its figures are known."""
    monkeypatch.setattr(StatusReader, "__enter__", lambda self: self)
    monkeypatch.setattr(StatusReader, "__exit__", lambda *_: None)
    monkeypatch.setattr(StatusReader, "read", lambda *_: [LETTERS])
    monkeypatch.setattr(StatusReader, "read_delayed", lambda _: DelayedStatus(2, 1))
    monkeypatch.setattr(Controls, "state", lambda _: State())
    with closing(KafkaBroker()) as broker:
        broker.declare_queue("letters")
        yield broker


def names(gauges: QueueGauges) -> set[str]:
    wait_for(gauges.families)
    return {family.name for family in gauges.families()}


@pytest.mark.parametrize(
    ("count", "why"), [(refuse, "the user may not read that"), (cannot_read, "Kafka cannot read that")]
)
def test_only_the_figure_that_cannot_be_read_is_left_out_and_warned_of_once(
    broker: KafkaBroker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    count: Callable[..., None],
    why: str,
) -> None:
    monkeypatch.setattr(Counts, "count", count)
    clock = Clock()
    gauges = QueueGauges(broker, clock)
    assert "workers_queue_not_done" in names(gauges)
    clock.now = 1_000.0
    assert "workers_delayed_jobs" in names(gauges)
    assert {"workers_queue_startable", "workers_queue_paused"} <= names(gauges)
    assert "workers_dead_letters" not in names(gauges)
    gauges.close()
    assert [record.getMessage() for record in caplog.records] == [
        f"no figures of the dead letters here, the others are shown: {why}"
    ]


def test_nobody_is_told_that_nothing_is_paused_by_who_may_not_know(
    broker: KafkaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Counts, "count", lambda *_: {})
    monkeypatch.setattr(Controls, "state", refuse)
    found = names(QueueGauges(broker, Clock()))
    assert {"workers_queue_not_done", "workers_dead_letters"} <= found
    assert not {"workers_queue_paused", "workers_queue_startable"} & found


def test_a_process_without_room_for_a_thread_reads_at_the_next_scrape(
    broker: KafkaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Counts, "count", lambda *_: {})
    gauges = QueueGauges(broker, Clock())
    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", no_room)
        with pytest.raises(RuntimeError):
            gauges.families()
    assert "workers_queue_not_done" in names(gauges)
    gauges.close()
