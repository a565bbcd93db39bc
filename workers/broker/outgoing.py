"""A message on its way out: when it is due, which topic it goes to, and its record there. Pure.

Every reader can read what is accepted here; the rest is refused while the sender can still get the error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from numbers import Real
from typing import Any

import dramatiq

from ..delays.tiers import Tier, eta_of, next_tier
from ..errors import InvalidDelay
from ..partitions.taken_message import TakenMessage
from ..records import envelope
from ..records.headers import DELAY_HEADER, carried
from ..topics import MAX_JOB_BYTES, RETRY_ROOM_BYTES, Topics

#: The delay of a job: a number of milliseconds or a timedelta.
Delay = float | timedelta | None

#: Longer than any delay that is accepted: 31,000 years.
_ENDLESS_MS = 10**15


class Outgoing:
    """Makes the records of messages that are enqueued."""

    def __init__(self, topics: Topics, tiers: Sequence[Tier], max_delay_ms: int) -> None:
        self._topics = topics
        self._tiers = tiers
        self._max_delay_ms = max_delay_ms

    def begin(
        self,
        message: dramatiq.Message[Any],
        delay: Delay,
        now_ms: int,
        emit_before: Callable[..., None],
    ) -> tuple[str, envelope.Record]:
        """The topic and the record of a message, after the hooks that run before it is enqueued.

        Raises as :meth:`due_ms` and :meth:`record`.
        """
        delay_ms = None if delay is None else whole_ms(delay)
        eta_ms = self.due_ms(message, delay_ms, now_ms)
        emit_before("enqueue", message, delay_ms)
        return self.record(message, eta_ms, now_ms, is_relative=delay is not None)

    def due_ms(self, message: dramatiq.Message[Any], delay_ms: int | None, now_ms: int) -> int | None:
        """The due time of a job, by its delay, else by its option ``eta``; None if it is due now.

        Raises DelayTooLong and InvalidDelay.
        """
        eta = message.options.get("eta")
        if delay_ms is None and eta is not None:
            delay_ms = whole_ms(eta, "the option eta") - now_ms
        return eta_of(delay_ms or 0, now_ms, self._max_delay_ms)

    def record(
        self, message: dramatiq.Message[Any], eta_ms: int | None, now_ms: int, *, is_relative: bool = False
    ) -> tuple[str, envelope.Record]:
        """The topic and the record of a message; ``is_relative`` if it is delayed by a length of time.

        Raises MessageTooLarge, InvalidMessage, and what dramatiq's encoder raises.
        """
        # As with dramatiq's own brokers, a retry is the message that came, not the one that middleware made
        # for the actor, such as one with decrypted arguments.
        written = message._message if isinstance(message, TakenMessage) else message
        if "eta" in written.options:
            written = replace(written, options=_without_eta(written.options))
        envelope.require_sound(written)
        record = envelope.encode(written, eta_ms)
        limit = MAX_JOB_BYTES
        if isinstance(message, TakenMessage):
            record.headers.extend(carried(message.record))
            limit += RETRY_ROOM_BYTES
        tier = eta_ms and next_tier(eta_ms, now_ms, self._tiers)
        topic = self._topics.delay(tier.name) if tier else self._topics.jobs(message.queue_name)
        if eta_ms and is_relative:
            record.headers.append((DELAY_HEADER, f"{eta_ms - now_ms}@{topic}".encode()))
        what = f"the message {message.message_id} for actor {message.actor_name}"
        envelope.require_size(record, what, limit)
        return topic, record


def whole_ms(value: Any, what: str = "the delay") -> int:
    """A number of milliseconds, or a timedelta, rounded up. Raises InvalidDelay for anything else."""
    if isinstance(value, timedelta):
        value = value / timedelta(milliseconds=1)
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or value == math.inf or not math.isfinite(min(value, _ENDLESS_MS)):
        raise InvalidDelay(
            f"{what} is {value!r:.100}, and must be a number of milliseconds; nothing was sent"
        )
    whole: int = math.ceil(min(value, _ENDLESS_MS))
    return whole


def _without_eta(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name != "eta"}
