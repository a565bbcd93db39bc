"""The content of an audit row, and the hash that chains it to the row before. Pure: no I/O, no clock.

The hash of a row is the SHA-256, in lower-case hexadecimal, of one JSON object in UTF-8 that has an entry for
each column of the row but ``hash`` itself:

- ``sequence``: the row's number; the first row has 1, and none is left out;
- ``previous_hash``: the ``hash`` of the row before; of the first row, 64 zeros;
- ``event_id``, ``type``, ``actor``, ``todo_id``: text, the last two may be null;
- ``time``, ``recorded_at``: text in UTC with six digits of the second, as in 2026-06-01T12:00:00.000000Z;
- ``before``, ``after``, ``details``: the JSON values themselves; the first two may be null.

The object is written as Python's ``json.dumps(row, sort_keys=True, separators=(",", ":"))`` writes it: keys
sorted by code point in every object, no white space, all but ASCII as ``\\uXXXX``, floats at their shortest.

So a changed row does not match its hash, an exchanged row does not fit the next one, and a removed row leaves
a gap. The chain alone cannot show that its end was cut off, or that it was written anew from some row on: for
that, keep the head (sequence and hash) in another place, and compare.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Self

#: The ``previous_hash`` of the first row.
GENESIS = "0" * 64

_HASH = re.compile("[0-9a-fA-F]{64}")

#: As ``json.dumps``, which makes one for each call.
_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)

#: The columns that are hashed.
HASHED = (
    "sequence",
    "previous_hash",
    "event_id",
    "type",
    "time",
    "recorded_at",
    "actor",
    "todo_id",
    "before",
    "after",
    "details",
)


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain: the sequence and the hash of its last row. As text, SEQUENCE:HASH."""

    sequence: int = 0
    hash: str = GENESIS

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text of a head, as ``str(head)`` writes it. Raises ValueError."""
        sequence, _, hash_ = text.strip().partition(":")
        if not sequence.isdecimal() or not _HASH.fullmatch(hash_):
            raise ValueError(f"{text!r} is not a sequence and a hash, like 17:{GENESIS[:8]}...")
        return cls(int(sequence), hash_.lower())

    def __str__(self) -> str:
        return f"{self.sequence}:{self.hash}"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """The part of an audit row that comes from the event.

    ``before`` and ``after`` are the todo, or those of its fields that were changed; ``details`` is whatever
    else the event says. Together with the other fields they hold all of the event.
    """

    event_id: str
    type: str
    time: datetime
    actor: str | None
    todo_id: str | None
    before: Any
    after: Any
    details: dict[str, Any]


def chained(entry: AuditEntry, head: Head, recorded_at: datetime) -> dict[str, Any]:
    """Return the row of ``entry`` that follows ``head``."""
    row = {
        "sequence": head.sequence + 1,
        "previous_hash": head.hash,
        "event_id": entry.event_id,
        "type": entry.type,
        "time": entry.time,
        "recorded_at": recorded_at,
        "actor": entry.actor,
        "todo_id": entry.todo_id,
        "before": entry.before,
        "after": entry.after,
        "details": entry.details,
    }
    return row | {"hash": hash_of(row)}


def hash_of(row: Mapping[str, Any]) -> str:
    """Compute the hash that ``row`` must have; the module's docstring says how."""
    return hashlib.sha256(text_of(row).encode()).hexdigest()


def text_of(row: Mapping[str, Any]) -> str:
    """Write the text that is hashed."""
    values = {name: row[name] for name in HASHED}
    for name in ("time", "recorded_at"):
        values[name] = _text_of_time(values[name].astimezone(UTC))
    return _JSON.encode(values)


@lru_cache(maxsize=8)  # the rows of a batch are recorded at the same time
def _text_of_time(time: datetime) -> str:
    # Only in UTC are equal times the same moment: elsewhere the clocks repeat an hour.
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def flaw(row: Mapping[str, Any], head: Head) -> str | None:
    """Describe what is wrong with ``row``, which was found after ``head``; None if it continues the chain.

    What a row holds is never an error.
    """
    number = row["sequence"]
    missing = number - head.sequence - 1
    if missing == 1:
        return f"row {number - 1} is missing"
    if missing:
        return f"rows {head.sequence + 1} to {number - 1} are missing"
    try:
        is_changed = hash_of(row) != row["hash"]
    except Exception as exc:  # noqa: BLE001 - whatever somebody put there
        return unreadable(number, exc)
    if is_changed:
        return f"row {number} was changed: what it says does not give its hash"
    if row["previous_hash"] != head.hash:
        before = f"row {head.sequence}" if head.sequence else "the beginning"
        return f"row {number} does not continue {before}: something else was there when it was written"
    return None


def unreadable(sequence: int, exc: Exception) -> str:
    """Describe a row that cannot be read."""
    return f"row {sequence} was changed: it cannot be read ({type(exc).__name__}: {exc})"
