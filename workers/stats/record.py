"""A part of the history as a record: what one process counted in one minute, or in one hour. Pure.

The key has the process and the slot, so a later record of the same slot replaces it. A process uses its sixty
slots for minutes again each hour. Once an hour has ended, its parts become one, see :mod:`.tidying`; that is
deleted when it is thirty days old.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import NamedTuple

from ..measures.families import Labels
from ..records.envelope import Record
from ..records.numbers import whole
from .figures import Counts

MINUTE_S, HOUR_S = 60, 3_600
#: Slots for minutes that a process has.
_MINUTES = 60
_VERSION = 1
#: Characters of a short name: enough that no two processes of an hour have the same one.
_SHORT = 16
#: What stands for the process in the sum of an hour.
SUM = "all"


class Part(NamedTuple):
    """What one process counted from ``start_s`` on, for ``length_s``: a minute or an hour. Unix time.

    The sum of an hour says ``of`` which processes it is, by their short names.
    """

    process: str
    start_s: int
    length_s: int
    counts: Mapping[Labels, Counts]
    of: frozenset[str] = frozenset()


def short_name(process: str) -> str:
    """A name of few characters for a process, of which there may be very many; no two have the same one."""
    return hashlib.sha256(process.encode(errors="replace")).hexdigest()[:_SHORT]


def encode(part: Part) -> Record:
    """The record of a part."""
    rows = [
        [*labels, [_short(number) for number in counts.numbers]] for labels, counts in part.counts.items()
    ]
    value: dict[str, object] = {"version": _VERSION, "start": part.start_s, "length": part.length_s}
    if part.of:
        value["of"] = sorted(part.of)
    value["counts"] = rows
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
        of = frozenset(map(str, read.get("of", ())))
        return Part(process, whole(read["start"]), read["length"], counts, of)
    except (AttributeError, KeyError, TypeError, UnicodeDecodeError, RecursionError) as exc:
        raise ValueError(f"it is no part of the history: {exc}") from exc


def _key(part: Part) -> str:
    if part.length_s == MINUTE_S:
        return f"minute/{part.start_s // MINUTE_S % _MINUTES}/{part.process}"
    return f"hour/{part.start_s // HOUR_S}/{part.process}"


def _short(number: float) -> float:
    return int(number) if number == int(number) else round(number, 6)
