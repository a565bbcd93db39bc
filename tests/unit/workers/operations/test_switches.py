"""What a switch holds is replayed in the order in which it came, a bounded part at a time."""

from __future__ import annotations

from unittest.mock import Mock

import pytest

from workers.controls.controls import Confirmation
from workers.errors import KafkaUnreachable
from workers.operations import switches
from workers.operations.switches import Held, in_order, lift, parts


def held(place: int, came_at: int, time_ms: int, size: int = 1) -> Held:
    return Held(0, came_at, ("jobs", place), came_at, time_ms, size)


def test_jobs_of_one_partition_keep_their_order_and_those_of_several_go_by_time() -> None:
    first = [held(0, 5, 10), held(0, 6, 7), held(0, 7, 30)]  # the clock of a writer went back
    second = [held(1, 1, 8), held(1, 2, 20)]
    found = list(in_order([*reversed(first), *reversed(second)]))
    assert [one for one in found if one.came_in[1] == 0] == first
    assert [one for one in found if one.came_in[1] == 1] == second
    assert found.index(second[1]) < found.index(first[2])


def test_no_more_bytes_than_allowed_are_in_memory_at_once() -> None:
    sizes = [3, 3, 3, 50, 1, 1]
    cut = list(parts((held(0, number, 0, size) for number, size in enumerate(sizes)), max_bytes=7))
    assert [[one.size for one in part] for part in cut] == [[3, 3], [3], [50], [1, 1]]
    assert list(parts([])) == []


def test_nothing_is_replayed_while_a_silent_worker_may_hold_it_again() -> None:
    broker = Mock()
    broker.controls.wait_confirmed.return_value = Confirmation(1, 1, silent=("host:4",))
    lifted = lift(broker, "3f", who="ann")
    assert not lifted.is_complete
    assert broker.producer.mock_calls == []
    assert broker.controls.wait_confirmed.call_args.kwargs == {"ignore_silent": False}


def test_a_lift_that_is_done_is_one_though_its_end_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def write(_who: str, did: str, _about: object) -> None:
        if did != "lift switch":
            raise KafkaUnreachable("Kafka is away")

    broker = Mock()
    broker.controls.wait_confirmed.return_value = Confirmation(1, 1)
    monkeypatch.setattr(switches, "_replay", lambda *_, **__: None)
    assert lift(broker, "3f", who="ann", write=write).is_complete
    assert "the end of an action is not in the log" in caplog.text
