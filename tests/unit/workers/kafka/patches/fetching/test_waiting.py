"""What ends a long wait for records, and what has to be over before one begins."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.future import Future

from workers.kafka.patches.fetching.waiting import WaitingFetcher

FIRST, SECOND = TopicPartition("t", 0), TopicPartition("t", 1)


class World:
    """A consumer that has waited for records for a while, by a request with the long wait."""

    def __init__(self) -> None:
        self.leaders = {FIRST: 1, SECOND: 1}
        self.dropped: list[int] = []
        self.assignment = {FIRST: state(), SECOND: state()}
        cluster = SimpleNamespace(
            leader_for_partition=self.leaders.get,
            leader_epoch_for_partition=len,
            topic_id=lambda _: None,
        )
        self.fetcher: Any = WaitingFetcher.__new__(WaitingFetcher)
        self.fetcher.config = {"fetch_max_wait_ms": 500, "max_poll_records": 500}
        self.fetcher._subscriptions = SimpleNamespace(
            assignment=self.assignment,
            paused_partitions=lambda: {p for p, one in self.assignment.items() if one.paused},
            fetchable_partitions=lambda: [p for p, one in self.assignment.items() if one.is_fetchable()],
        )
        self.fetcher._manager = SimpleNamespace(cluster=cluster, close=self.dropped.append)
        self.fetcher._net = SimpleNamespace(
            call_soon=lambda call: call(), call_soon_threadsafe=lambda call: call()
        )
        self.fetcher.prepare(is_member=True)
        self.fetcher._reset_task = self.fetcher._validation_task = None
        self.fetcher._long_from = 0.0
        self.fetcher._waiting_long = {1: {FIRST: 5}}
        self.fetcher.note_metadata(cluster)
        self.fetcher._something_came.clear()


def state(*, is_fetchable: bool = True, paused: bool = False) -> Any:
    return SimpleNamespace(is_fetchable=lambda: is_fetchable and not paused, paused=paused, position=None)


@pytest.fixture
def world() -> World:
    return World()


def test_a_new_leader_ends_the_long_wait(world: World) -> None:
    world.leaders[SECOND] = 2
    world.fetcher.note_metadata(None)
    assert world.dropped == [1]
    assert world.fetcher._something_came.is_set()
    assert not world.fetcher._is_idle()


def test_metadata_that_changes_nothing_leaves_the_quiet(world: World) -> None:
    world.fetcher.note_metadata(None)
    assert world.dropped == []
    assert not world.fetcher._something_came.is_set()
    assert world.fetcher._is_idle()


def test_the_first_metadata_of_a_new_partition_leaves_the_long_wait(world: World) -> None:
    added = TopicPartition("t", 2)
    world.leaders[added], world.assignment[added] = 1, state()
    world.fetcher.note_metadata(None)
    assert world.dropped == []
    assert world.fetcher._something_came.is_set()


@pytest.mark.parametrize(
    "other", [state(is_fetchable=False), state(paused=True)], ids=["no position", "paused"]
)
def test_no_request_waits_long_before_each_partition_is_fetched(world: World, other: Any) -> None:
    assert world.fetcher._is_idle()
    world.assignment[SECOND] = other
    assert not world.fetcher._is_idle()


class EndsATask(threading.Event):
    """An event that a task's end is to set: the task ends as soon as the event is waited for."""

    def __init__(self, task: Any) -> None:
        super().__init__()
        self.task = task

    def wait(self, _timeout: float | None = None) -> bool:
        self.task.success(None)
        return self.is_set()


@pytest.mark.parametrize("name", ["_reset_task", "_validation_task"])
def test_a_poll_goes_on_once_positions_are_known(
    world: World, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, looks = Future(), []

    def fetched(*_: Any) -> Any:
        looks.append(task.is_done)
        return {}, False

    monkeypatch.setattr(world.fetcher, name, task)
    monkeypatch.setattr(world.fetcher, "_something_came", EndsATask(task))
    monkeypatch.setattr(world.fetcher, "fetched_records", fetched)
    monkeypatch.setattr(world.fetcher, "_is_anything_to_send", lambda: False)
    monkeypatch.setattr(world.fetcher, "_nodes_with_pending_fetch_requests", {1}, raising=False)
    world.fetcher.fetch_records(timeout_ms=1_000)
    assert looks == [False, True]
