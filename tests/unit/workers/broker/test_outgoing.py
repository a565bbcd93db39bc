"""A worker reads what enqueue took as it was sent; the rest is refused while the sender can be told."""

from __future__ import annotations

import json
import math
import time
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import dramatiq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.records import Consumed
from workers import KafkaBroker
from workers.broker.outgoing import whole_ms
from workers.delays.delayed_record import delayed
from workers.errors import DelayTooLong, InvalidDelay, InvalidMessage, WorkersError
from workers.records import envelope
from workers.records.decoding import QueueDecoder
from workers.records.envelope import Record

broker = KafkaBroker()
broker.declare_queue("default")
broker.declare_queue("mail")

#: Half of a surrogate pair is text to Python and JSON, and none to UTF-8.
text = st.text() | st.text(st.characters(categories=["Cs", "L"]), max_size=5)
numbers = st.integers() | st.floats() | st.booleans()
json_values = st.recursive(
    st.none() | numbers | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
#: Options that the pool, dramatiq's worker or its middleware look at.
_KNOWN = """
    key eta throws retries max_retries min_backoff max_backoff max_age time_limit priority broker_priority
    pipe_target pipe_ignore on_success on_failure delay traceback requeue_timestamp
"""
known_options = st.sampled_from(_KNOWN.split())


def mostly(usual: st.SearchStrategy[Any], other: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Seldom something else, so that most messages are sent and not refused."""
    return st.integers(0, 11).flatmap(lambda number: other if number == 0 else usual)


messages: st.SearchStrategy[dramatiq.Message[Any]] = st.builds(
    dramatiq.Message,
    queue_name=mostly(st.sampled_from(["default", "mail"]), st.just("unknown")),
    actor_name=mostly(st.text(), text | st.none() | st.integers()),
    args=st.lists(json_values, max_size=3).map(tuple),
    kwargs=mostly(st.dictionaries(text, json_values, max_size=3), st.lists(json_values, max_size=1)),
    options=st.dictionaries(text, json_values, max_size=2)
    | st.dictionaries(known_options, json_values, max_size=2)
    | st.builds(dict, eta=st.integers(0, 4 * 10**12) | st.floats(0, 4e12)),
    message_id=mostly(st.text(min_size=1), text | st.none() | st.integers()),
    message_timestamp=mostly(st.integers() | st.floats(), st.none() | text),
)
delays = mostly(
    st.none() | st.integers(max_value=10**10) | st.floats(-1e10, 1e10) | st.fractions(-1, 10**10),
    numbers | st.timedeltas() | text | st.lists(st.integers(), max_size=1),
)


def read(topic: str, record: Record, queue: str) -> tuple[dramatiq.Message[Any], int | None]:
    """The message that a worker gets, and when."""
    eta_ms = None
    if topic.startswith("todo.delay."):
        job = delayed(as_consumed(record, topic))
        assert job.queue == queue
        record, eta_ms = job.record, job.eta_ms
    message = QueueDecoder(queue).decode(as_consumed(record, broker.topics.jobs(queue)))
    assert message is not None
    return message, eta_ms


def as_consumed(record: Record, topic: str) -> Consumed:
    now_ms = time.time_ns() // 1_000_000
    return Consumed(topic, key=record.key, value=record.value, headers=record.headers, timestamp=now_ms)


def same(left: object, right: object) -> bool:
    """Equal, where NaN equals itself."""
    return json.dumps(left) == json.dumps(right)


@given(message=messages, delay=delays)
def test_a_message_comes_back_as_it_was_sent_or_is_refused(message: Any, delay: Any) -> None:
    now_ms = time.time() * 1000
    try:
        topic, record = broker.outgoing(message, delay)
    except WorkersError:
        return
    received, eta_ms = read(topic, record, message.queue_name)
    expected = dramatiq.Message.decode(message.encode()).asdict()
    due_ms = expected["options"].pop("eta", None)
    assert same(received.asdict(), expected)
    if delay is not None:
        due_ms = now_ms + (delay / timedelta(milliseconds=1) if isinstance(delay, timedelta) else delay)
    if due_ms is not None and due_ms > time.time() * 1000:
        assert eta_ms is not None
        assert due_ms <= eta_ms + 1e-3  # never early
        assert eta_ms <= max(due_ms, 0) + 5_000


@pytest.mark.parametrize(
    ("value", "whole"),
    [
        (5, 5),
        (2000.0, 2000),
        (1500.5, 1501),
        (0.1, 1),
        (-3.5, -3),
        (Fraction(7, 2), 4),
        (timedelta(seconds=1.5), 1500),
        (timedelta(microseconds=1), 1),
    ],
)
def test_a_delay_is_whole_milliseconds_rounded_up(value: Any, whole: int) -> None:
    assert whole_ms(value) == whole
    assert type(whole_ms(value)) is int


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, True, "5", b"5", Decimal(5), [], object()])
def test_a_delay_that_is_no_number_is_refused(value: Any) -> None:
    message = dramatiq.Message[None]("default", "work", (), {}, {})
    with pytest.raises(InvalidDelay, match=r"the delay is .* must be a number of milliseconds"):
        broker.outgoing(message, value)
    if value not in (-math.inf, b"5") and not isinstance(value, Decimal):
        with pytest.raises(InvalidDelay, match="the option eta is"):
            broker.outgoing(message.copy(options={"eta": value}), None)


@pytest.mark.parametrize("value", [10**400, 1e300, timedelta.max])
def test_a_delay_without_end_is_refused(value: Any) -> None:
    with pytest.raises(DelayTooLong):
        broker.outgoing(dramatiq.Message("default", "work", (), {}, {}), value)


def test_an_eta_in_the_options_is_when_the_job_is_due() -> None:
    due_ms = int(time.time() * 1000) + 60_000
    message = dramatiq.Message[None]("default", "work", (), {}, {"eta": due_ms + 0.5, "key": "k"})
    topic, record = broker.outgoing(message, None)
    assert topic == broker.topics.delay("soon")
    received, eta_ms = read(topic, record, "default")
    assert eta_ms == due_ms + 1
    assert received.options == {"key": "k"}
    assert message.options["eta"] == due_ms + 0.5  # the sender's is as it was


@pytest.mark.parametrize("eta", [None, 1, 1.5, -5])
def test_an_eta_that_is_none_or_past_delays_nothing(eta: Any) -> None:
    message = dramatiq.Message[None]("default", "work", (), {}, {"eta": eta})
    topic, record = broker.outgoing(message, None)
    assert topic == broker.topics.jobs("default")
    assert read(topic, record, "default")[0].options == {}


def test_a_delay_takes_precedence_over_an_eta() -> None:
    message = dramatiq.Message[None]("default", "work", (), {}, {"eta": 1})
    assert broker.outgoing(message, 60_000)[0] == broker.topics.delay("soon")


@pytest.mark.parametrize("throws", [None, [], ""])
def test_a_throws_that_names_nothing_is_harmless(throws: Any) -> None:
    message = dramatiq.Message[None]("default", "work", (), {}, {"throws": throws})
    topic, record = broker.outgoing(message, None)
    assert read(topic, record, "default")[0].options == {"throws": throws}


@pytest.mark.parametrize("throws", ["ValueError", ["ValueError"], 5, {"a": 1}, (ValueError, "TypeError")])
def test_a_throws_that_would_end_a_worker_thread_is_refused(throws: Any) -> None:
    with pytest.raises(InvalidMessage, match="options has throws, and not as a class of exceptions"):
        broker.outgoing(dramatiq.Message("default", "work", (), {}, {"throws": throws}), None)


@pytest.mark.parametrize("throws", [ValueError, (ValueError, KeyError)])
def test_a_throws_of_classes_is_sound_for_encoders_that_can_write_it(throws: Any) -> None:
    message = dramatiq.Message[None]("default", "work", (), {}, {"throws": throws})
    envelope.require_sound(message)
    assert envelope.checked(message, "default", b"") == message
