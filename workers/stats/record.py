"""A part of the history as a record: what one process counted in one minute, or in one hour. Pure.

The key has the process and the slot, so a later record of the same slot replaces it. A process uses its sixty
slots for minutes again each hour; those for hours are deleted when they are thirty days old.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from ..measures.families import Labels
from ..records.envelope import Record
from .figures import Counts

MINUTE_S, HOUR_S = 60, 3_600
#: Slots for minutes that a process has.
_MINUTES = 60
_VERSION = 1


class Part(NamedTuple):
    """What one process counted from ``start_s`` on, for ``length_s``: a minute or an hour. Unix time."""

    process: str
    start_s: int
    length_s: int
    counts: Mapping[Labels, Counts]


def encode(part: Part) -> Record:
    """The record of a part."""
    rows = [
        [*labels, [_short(number) for number in counts.numbers]] for labels, counts in part.counts.items()
    ]
    value = {"version": _VERSION, "start": part.start_s, "length": part.length_s, "counts": rows}
    return Record(_key(part).encode(), json.dumps(value, separators=(",", ":")).encode(), [])


def decode(key: bytes | None, value: bytes | None) -> Part:
    """Read a record. Raises ValueError for one that this version did not write."""
    try:
        _, _, process = (key or b"").decode().split("/")
        read = json.loads(value or b"")
        if read["version"] != _VERSION or read["length"] not in (MINUTE_S, HOUR_S):
            raise ValueError("another version wrote it")
        counts: dict[Labels, Counts] = {
            (str(queue), str(actor)): Counts.read(numbers) for queue, actor, numbers in read["counts"]
        }
        return Part(process, int(read["start"]), read["length"], counts)
    except (KeyError, TypeError, UnicodeDecodeError, RecursionError) as exc:
        raise ValueError(f"it is no part of the history: {exc}") from exc


def _key(part: Part) -> str:
    if part.length_s == MINUTE_S:
        return f"minute/{part.start_s // MINUTE_S % _MINUTES}/{part.process}"
    return f"hour/{part.start_s // HOUR_S}/{part.process}"


def _short(number: float) -> float:
    return int(number) if number == int(number) else round(number, 6)
