"""The updates: what a worker did for somebody, as CloudEvents, in order for each owner. Pure.

An update is news, no fact to build on: the audit trail, the deliveries and the reminders are in the database.
The same deed has the same id, however often it is announced.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5
from zlib import crc32

from workers.records.envelope import Record

from ..events.cloud_events import CONTENT_TYPE

#: The CloudEvents ``source`` of the updates.
SOURCE = "/todo-workers"
#: The content type of a record with several updates, by CloudEvents' JSON format.
BATCH_TYPE = "application/cloudevents-batch+json; charset=UTF-8"
#: How many updates a record holds at most.
MAX_IN_RECORD = 200
#: How long the topic of updates keeps them, in ms: longer than any client may be away.
RETENTION_MS = 7 * 24 * 3_600_000
_IDS = UUID("b3c1f0a2-6f0e-5c57-8f0c-8a4a1d0b7c55")


class Deed(StrEnum):
    """The types of updates."""

    EVENT_RECORDED = "event.recorded"
    MAIL_SENT = "mail.sent"
    MAIL_POSTPONED = "mail.postponed"
    MAIL_OPTED_OUT = "mail.opted_out"
    MAIL_GIVEN_UP = "mail.given_up"
    REMINDER_SET = "reminder.set"
    REMINDER_FIRED = "reminder.fired"
    REMINDER_CANCELLED = "reminder.cancelled"


UPDATE_TYPES = frozenset(deed.value for deed in Deed)


@dataclass(frozen=True, slots=True)
class Update:
    """One deed. ``owner`` is the address of the person it was for, ``about`` what makes it different from
    all others of its type, such as the id of the mail. ``data`` is JSON values."""

    deed: Deed
    owner: str
    about: str
    time: datetime
    todo_id: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> UUID:
        """The id of its CloudEvent."""
        return uuid5(_IDS, f"{self.deed.value} {self.about}")


def record_of(updates: Sequence[Update]) -> Record:
    """The record of updates of one partition: one in structured mode, or several as a JSON batch.

    Its key is the owner of the first of them.
    """
    key = updates[0].owner.lower().encode()
    events = [_event(update) for update in updates]
    if len(events) == 1:
        return Record(key, _json(events[0]), [("content-type", CONTENT_TYPE.encode())])
    return Record(key, _json(events), [("content-type", BATCH_TYPE.encode())])


def turn_of(update: Update) -> int:
    """A number of the owner: modulo the number of partitions, it is the partition of their updates.

    Kafka's own way costs as much as writing the record, in Python.
    """
    return crc32(update.owner.lower().encode())


def _event(update: Update) -> dict[str, Any]:
    event = {
        "specversion": "1.0",
        "id": str(update.id),
        "source": SOURCE,
        "type": update.deed.value,
        "time": update.time.isoformat(),
        "datacontenttype": "application/json",
        "data": {"owner": update.owner, **update.data},
    }
    if update.todo_id is not None:
        event["subject"] = update.todo_id
    return event


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
