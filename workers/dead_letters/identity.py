"""Finds out which job a record holds that is not handed out, as far as its bytes say. Pure: no I/O."""

from __future__ import annotations

from typing import Any

import dramatiq

from ..errors import Undecodable
from ..partitions.taken_message import attempt_of
from ..records import envelope
from ..records.consumed import ConsumedRecord
from ..records.headers import source_named_in, text_of


def told_by(
    record: ConsumedRecord, message: dramatiq.Message[Any] | None, queue: str | None
) -> dict[str, Any]:
    """The fields of a DeadLetter that say which job it was: of its message, else of its headers.

    ``queue`` is the queue whose consumer read the record; None if it was on its way to one. A message id is
    taken only from a message: two records of others may have the same header, and one would hide the other.
    """
    if message is None and queue is None:
        message = _message_of(record)
    if message is not None:
        return {
            "message_id": message.message_id,
            "actor": message.actor_name,
            "queue": queue or message.queue_name,
            "attempts": attempt_of(message),
        }
    return {
        "actor": text_of("actor", record.headers),
        "queue": queue or text_of("queue", record.headers) or None,
    }


def _message_of(record: ConsumedRecord) -> dramatiq.Message[Any] | None:
    if source_named_in(record.headers):
        return None
    try:
        return envelope.decode(record.value, None)
    except Undecodable:
        return None
