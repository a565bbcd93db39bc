"""Whatever operators do is written into the log of actions first, or not done."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from unittest.mock import Mock

import pytest

from tests.helpers.interrupts import interrupted_wait
from workers.controls.controls import Controls
from workers.dead_letters.filter import Filter
from workers.dead_letters.resolving import Resolution
from workers.errors import KafkaUnreachable, WrongUsage
from workers.operations.dead_letters import discarding
from workers.operations.logged import LoggedControls, Stopped, written_down
from workers.topics import Topics


class Log:
    """Takes what is written, or refuses it."""

    def __init__(self, *, is_away: bool = False) -> None:
        self.is_away = is_away
        self.told: list[tuple[str, Mapping[str, Any]]] = []

    def write(self, who: str, did: str, about: Mapping[str, Any]) -> None:
        if self.is_away:
            raise KafkaUnreachable("Kafka is away")
        assert who == "ann"
        self.told.append((did, about))


def controls(log: Log, producer: Mock) -> LoggedControls:
    return LoggedControls(Controls(producer, Topics("shop"), lambda: None), log.write)


def test_a_decision_is_written_before_it_is_taken() -> None:
    log, producer = Log(), Mock()
    producer.deliver.side_effect = lambda *_: log.told.append(("done", {}))
    with suppress(AttributeError):  # the fake has no metadata
        controls(log, producer).pause("mail", who="ann", why="down", for_s=60)
    assert log.told == [("pause", {"queue": "mail", "for_s": 60, "why": "down"}), ("done", {})]


def test_what_cannot_be_written_is_not_done_and_what_is_refused_is_not_written() -> None:
    log, producer = Log(is_away=True), Mock()
    with pytest.raises(KafkaUnreachable):
        controls(log, producer).resume("mail", who="ann")
    log.is_away = False
    with pytest.raises(WrongUsage):
        controls(log, producer).switch(Filter(), "hold", who="ann")
    with pytest.raises(WrongUsage):
        controls(log, producer).pause("mail", who="ann", for_s=-1)
    assert log.told == []
    producer.deliver.assert_not_called()


@pytest.mark.parametrize(
    ("away", "raised", "ending"),
    [
        (None, None, "discard: ended"),
        (KafkaUnreachable("away"), None, "discard: failed"),
        (None, KeyboardInterrupt(), "discard: stopped"),
        (None, interrupted_wait(), "discard: stopped"),
        (None, Stopped(), "discard: stopped"),
        (None, OSError("the disk is full"), "discard: failed"),
    ],
)
def test_the_end_of_an_action_is_told_with_what_was_done(
    away: KafkaUnreachable | None, raised: BaseException | None, ending: str
) -> None:
    log, resolution = Log(), Resolution()
    with (
        suppress(KeyboardInterrupt, RuntimeError, Stopped, OSError),
        written_down(log.write, "ann", discarding(), Filter(queue="mail"), resolution, letters=3),
    ):
        resolution.done, resolution.away = 2, away
        if raised:
            raise raised
    (began, about), (ended, found) = log.told
    assert (began, ended) == ("discard", ending)
    assert (about["queue"], about["letters"], found["done"]) == ("mail", 3, 2)
    assert about["run"] == found["run"]


@pytest.mark.parametrize("pressed", [KeyboardInterrupt(), interrupted_wait()])
def test_ctrl_c_just_when_the_beginning_was_written_leaves_none_without_an_end(
    pressed: BaseException,
) -> None:
    log = Log()

    def write(who: str, did: str, about: Mapping[str, Any]) -> None:
        log.write(who, did, about)
        if did == "discard":
            raise pressed

    with (
        pytest.raises(type(pressed)),
        written_down(write, "ann", discarding(), Filter(), Resolution(), letters=1),
    ):
        pytest.fail("it has begun")
    assert [did for did, _ in log.told] == ["discard", "discard: stopped"]


def test_of_what_cannot_begin_no_end_is_written() -> None:
    log = Log(is_away=True)
    with (
        pytest.raises(KafkaUnreachable),
        written_down(log.write, "ann", discarding(), Filter(), Resolution(), letters=1),
    ):
        pytest.fail("it has begun")
    assert log.told == []


def test_an_end_that_cannot_be_written_hides_nothing(caplog: pytest.LogCaptureFixture) -> None:
    log = Log()
    with written_down(log.write, "ann", discarding(), Filter(), Resolution(), letters=1):
        log.is_away = True
    assert "the end of an action is not in the log" in caplog.text
