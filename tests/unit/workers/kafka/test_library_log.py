"""kafka-python's log while a broker is away."""

from __future__ import annotations

import logging

import pytest
from kafka.errors import Cancelled, KafkaConnectionError

from workers.kafka import library_log
from workers.kafka.library_log import Pace, calm_library, silent_library


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pace(clock: Clock) -> Pace:
    return Pace(clock)


def record(text: str, name: str = "kafka.net") -> logging.LogRecord:
    return logging.LogRecord(name, logging.WARNING, "", 0, text, (1,), None)


def test_each_kind_is_logged_a_few_times_and_the_next_minute_says_how_many_were_left_out(
    pace: Pace, clock: Clock
) -> None:
    assert [pace.filter(record("node %s is away")) for _ in range(300)] == [True] * 3 + [False] * 297
    assert pace.filter(record("node %s is back"))
    assert pace.filter(record("node %s is away", "kafka.other"))
    clock.now += 60
    again = record("node %s is away")
    assert pace.filter(again)
    assert again.getMessage() == "node 1 is away (and 297 more like it before)"
    clock.now += 60
    once_more = record("node %s is away")
    assert pace.filter(once_more)
    assert once_more.getMessage() == "node 1 is away"


def test_what_is_tried_again_at_once_is_logged_only_if_it_goes_on(pace: Pace, clock: Clock) -> None:
    text = "%s: Got error produce response on topic-partition %s, retrying (%s attempts left): %s"

    def passed(*pauses_s: float) -> list[bool]:
        found = []
        for pause_s in pauses_s:
            clock.now += pause_s
            found.append(pace.filter(record(text)))
        return found

    assert passed(0, 0.1, 0.1, 0.1) == [False] * 4
    assert passed(60, 2.9, 0.2, 0.1) == [False, False, True, True]
    assert passed(11, 0.1) == [False, False]


def test_the_end_of_requests_on_a_connection_that_is_closed_here_is_no_news(pace: Pace) -> None:
    text = "Metadata refresh: failed %s"
    assert not pace.filter(
        logging.LogRecord("kafka.cluster", logging.ERROR, "", 0, text, (Cancelled(),), None)
    )
    lost = KafkaConnectionError("socket disconnected")
    assert pace.filter(logging.LogRecord("kafka.cluster", logging.ERROR, "", 0, text, (lost,), None))


def test_it_is_paced_and_shows_no_content(library: logging.Logger) -> None:
    below = logging.getLogger("kafka.test_library_log.calm")
    calm_library()
    assert library.level == logging.WARNING
    assert library_log._pace in below.filters
    with silent_library():
        calm_library()  # as each connection does
        assert not below.isEnabledFor(logging.ERROR)
    assert below.isEnabledFor(logging.WARNING)


def test_a_program_that_has_chosen_a_level_gets_everything(library: logging.Logger) -> None:
    below = logging.getLogger("kafka.test_library_log.chosen")
    library.setLevel(logging.DEBUG)
    calm_library()
    with silent_library():
        assert below.isEnabledFor(logging.DEBUG)
    assert library.level == logging.DEBUG
    assert library_log._pace not in below.filters
