"""Reads a record of a delay topic: the job it holds, and when that is due. Pure."""

from __future__ import annotations

from typing import NamedTuple

from ..errors import Undecodable
from ..records.consumed import ConsumedRecord
from ..records.envelope import Record
from ..records.headers import DELAY_HEADER, filled
from ..records.numbers import time_ms, whole


class Delayed(NamedTuple):
    """The job that a record of a delay topic holds. ``record`` is what its next topic gets."""

    eta_ms: int
    queue: str
    record: Record


def delayed(consumed: ConsumedRecord) -> Delayed:
    """Read a record of a delay topic. Raises Undecodable if it is no delayed job, or is due at no time.

    A delay that is a length of time counts from when the first delay topic got the record, by the cluster's
    clock: the sender's may be ahead or behind. From there on the job has that due time.
    """
    if consumed.unreadable is not None:
        raise Undecodable(consumed.unreadable, consumed.value or b"")
    headers = filled(consumed.headers)
    found = dict(headers)
    try:
        eta_ms = time_ms(found["eta"])
        delay, _, topic = found.get(DELAY_HEADER, b"").decode().partition("@")
        if topic == consumed.topic and consumed.timestamp > 0:
            # Rounded up: the cluster may have got it almost a millisecond later than its time says.
            eta_ms = time_ms(consumed.timestamp + whole(delay) + 1)
            headers = [(name, value) for name, value in headers if name not in ("eta", DELAY_HEADER)]
            headers.append(("eta", str(eta_ms).encode()))
        anywhere = consumed.key == found.get("message-id")  # else its partition is of the key
        record = Record(consumed.key, consumed.value, headers, anywhere)
        return Delayed(eta_ms, found["queue"].decode(), record)
    except (KeyError, ValueError, AttributeError) as exc:
        raise Undecodable(
            "the record is not a delayed job: no header says when it is due, and where", b""
        ) from exc


#: The delayed job that a record holds, or why it holds none.
Job = Delayed | Undecodable


def job_of(consumed: ConsumedRecord) -> Job:
    """The delayed job that a record holds, or why it holds none."""
    try:
        return delayed(consumed)
    except Undecodable as exc:
        return exc
