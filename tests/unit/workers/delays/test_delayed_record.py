"""When a delayed job is due: by the cluster's clock, where its delay is a length of time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import dramatiq
import pytest

from workers.broker.outgoing import Outgoing
from workers.delays.delayed_record import delayed
from workers.delays.tiers import TIERS
from workers.errors import Undecodable
from workers.topics import Topics

SENT_MS = 1_780_000_000_000
HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Consumed:
    topic: str
    headers: list[tuple[str, bytes | None]]
    timestamp: int = SENT_MS
    key: bytes | None = b"k"
    value: bytes | None = b"{}"
    partition: int = 0
    offset: int = 0
    unreadable: str | None = None
    first_offset: int = 0


def sent(delay_ms: int, *, is_relative: bool = True) -> Consumed:
    """The record of a job that a sender with some clock delays."""
    outgoing = Outgoing(Topics("todo"), TIERS, 400 * 24 * HOUR_MS)
    message: dramatiq.Message[Any] = dramatiq.Message("default", "note", (), {}, {})
    topic, record = outgoing.record(message, SENT_MS + delay_ms, SENT_MS, is_relative=is_relative)
    return Consumed(topic, list(record.headers), key=record.key, value=record.value)


@pytest.mark.parametrize("skew_ms", [-60_000, 0, 60_000])
@pytest.mark.parametrize("delay_ms", [1, 5_000, HOUR_MS, 90 * 24 * HOUR_MS])
def test_a_length_of_time_counts_from_when_the_cluster_got_it(delay_ms: int, skew_ms: int) -> None:
    appended_ms = SENT_MS + skew_ms
    job = delayed(replace(sent(delay_ms), timestamp=appended_ms))
    assert 0 < job.eta_ms - (appended_ms + delay_ms) <= 1
    assert [value for name, value in job.record.headers if name == "eta"] == [str(job.eta_ms).encode()]


def test_the_next_hop_has_that_due_time_and_counts_nothing_again() -> None:
    first = delayed(replace(sent(90 * 24 * HOUR_MS), timestamp=SENT_MS + 60_000))
    for topic in (sent(90 * 24 * HOUR_MS).topic, "todo.delay.soon"):
        later = Consumed(topic, list(first.record.headers), timestamp=SENT_MS + HOUR_MS)
        assert delayed(later).eta_ms == first.eta_ms


def test_a_hop_of_a_mover_that_does_not_know_the_header_counts_nothing_again() -> None:
    as_it_was = replace(sent(2 * HOUR_MS), topic="todo.delay.16m", timestamp=SENT_MS + HOUR_MS)
    assert delayed(as_it_was).eta_ms == SENT_MS + 2 * HOUR_MS


def test_a_point_in_time_is_the_senders() -> None:
    job = delayed(replace(sent(5_000, is_relative=False), timestamp=SENT_MS + 60_000))
    assert job.eta_ms == SENT_MS + 5_000


@pytest.mark.parametrize(
    "header",
    [
        b"x@todo.delay.soon",
        b"\xff",
        b"@todo.delay.soon",
        b"-5@todo.delay.soon",
        b"%b@todo.delay.soon" % (b"9" * 400),
        b"%b@todo.delay.soon" % (b"9" * 16),
    ],
)
def test_a_delay_that_is_none_is_undecodable(header: bytes) -> None:
    record = sent(5_000)
    headers = [(name, header if name == "delay" else value) for name, value in record.headers]
    with pytest.raises(Undecodable):
        delayed(replace(record, headers=headers))


@pytest.mark.parametrize("eta", [b"9" * 400, b"-" + b"9" * 400, b"-1", b"1e9", b"9" * 16, b"", b"soon"])
def test_a_due_time_that_is_no_time_is_undecodable(eta: bytes) -> None:
    """A mover would fail at it, and so would each one that takes its place."""
    record = sent(5_000, is_relative=False)
    headers = [(name, eta if name == "eta" else value) for name, value in record.headers]
    with pytest.raises(Undecodable):
        delayed(replace(record, headers=headers))
