"""What cannot be decided is refused where it is asked for, and nothing is written."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest

from workers.controls.controls import Controls
from workers.controls.then import Then
from workers.dead_letters.filter import Filter
from workers.dead_letters.letter import Reason
from workers.errors import InvalidName, WrongUsage
from workers.topics import Topics


@pytest.fixture
def producer() -> Mock:
    return Mock()


@pytest.fixture
def controls(producer: Any) -> Controls:
    return Controls(producer, Topics("todo"), lambda: None)


@pytest.mark.parametrize("for_s", [0.0, -1.0, float("nan"), float("inf"), 1e15])
def test_a_pause_lasts_for_a_time_that_there_is(controls: Controls, producer: Mock, for_s: float) -> None:
    with pytest.raises(WrongUsage):
        controls.pause("mail", who="ann", for_s=for_s)
    producer.deliver.assert_not_called()


@pytest.mark.parametrize("queue", ["", "a/b", "\ud800", "x" * 300])
def test_what_is_no_name_of_a_queue_is_refused(controls: Controls, producer: Mock, queue: str) -> None:
    with pytest.raises(InvalidName):
        controls.pause(queue, who="ann")
    producer.deliver.assert_not_called()


@pytest.mark.parametrize(
    "where",
    [
        {},
        {"reason": Reason.FAILED},
        {"actor": "a", "since_ms": 5},
        {"ids": ("",)},
        {"actor": "a", "ids": ("3f", "")},
        {"text": ""},
    ],
)
def test_a_switch_asks_for_what_jobs_have(controls: Controls, producer: Mock, where: dict[str, Any]) -> None:
    with pytest.raises(WrongUsage):
        controls.switch(Filter(**where), Then.HOLD, who="ann")
    with pytest.raises(WrongUsage):
        controls.switch(Filter(actor="a"), "explode", who="ann")
    producer.deliver.assert_not_called()


def test_a_switch_with_any_id_can_be_lifted(controls: Controls, producer: Mock) -> None:
    controls.lift("\ud800", who="\ud800")
    assert producer.deliver.call_args.args[1].value is None
