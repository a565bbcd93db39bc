"""A message on its way out: when it is due, which topic it goes to, and its record there. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dramatiq

from ..delays.tiers import Tier, eta_of, next_tier
from ..partitions.taken_message import TakenMessage
from ..records import envelope
from ..records.headers import carried
from ..topics import MAX_JOB_BYTES, RETRY_ROOM_BYTES, Topics


class Outgoing:
    """Makes the records of messages that are enqueued."""

    def __init__(self, topics: Topics, tiers: Sequence[Tier], max_delay_ms: int) -> None:
        self._topics = topics
        self._tiers = tiers
        self._max_delay_ms = max_delay_ms

    def due_ms(self, delay_ms: int | None, now_ms: int) -> int | None:
        """When a job is due; None where it is now. Raises DelayTooLong."""
        return eta_of(delay_ms or 0, now_ms, self._max_delay_ms)

    def record(
        self, message: dramatiq.Message[Any], eta_ms: int | None, now_ms: int
    ) -> tuple[str, envelope.Record]:
        """The topic and the record of a message.

        Raises MessageTooLarge, and what dramatiq's encoder raises.
        """
        record = envelope.encode(message, eta_ms)
        limit = MAX_JOB_BYTES
        if isinstance(message, TakenMessage):  # a retry
            record.headers.extend(carried(message.record))
            limit += RETRY_ROOM_BYTES
        what = f"the message {message.message_id} for actor {message.actor_name}"
        envelope.require_size(record, what, limit)
        tier = eta_ms and next_tier(eta_ms, now_ms, self._tiers)
        return self._topics.delay(tier.name) if tier else self._topics.jobs(message.queue_name), record
