"""Keeps the history small however many processes come and go. Pure: no I/O, no clock.

Each process has keys of its own. So what the processes of an hour wrote becomes one record once the hour has
ended, and the minutes that nobody shows any more are ended::

    hour/H/p, hour/H/q, hour/H/all ──► hour/H/all, which names those that it has ──► p and q are ended

A part is ended only once the sum that has it was read from the log. So a process that dies in between loses
nothing, and nothing is counted twice. Two things can lose figures of the hour, as an hour has one sum: what a
process writes into its part after the sum has it, and one of two processes at once that has read fewer parts
and writes its sum last, when the other has ended a part already. `GRACE_S` makes the first rare, and the
different times at which the processes of a fleet do this the second.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from ..records.consumed import ConsumedRecord
from ..records.envelope import Record
from .figures import add
from .record import HOUR_S, MINUTE_S, SUM, Part, decode, encode, short_name

#: How long after its end an hour is added up: processes write their last part of it some seconds late.
GRACE_S = 600
#: Minutes that were written longer ago are shown by nobody, and no living process has used their key again.
MINUTES_S = HOUR_S + 2 * MINUTE_S
#: How long a sum names what it has: by then no part of its hour comes any more.
NAMED_S = 24 * HOUR_S


class Kept(NamedTuple):
    """The last record of a key: when it was written, and its value; that of a minute is not kept."""

    written_s: float
    value: bytes


def take(records: Iterable[ConsumedRecord], kept: dict[bytes, Kept]) -> None:
    """Take in records of the topic, in their order."""
    for record in records:
        if record.key is None or record.unreadable is not None:
            continue
        if record.value is None:
            kept.pop(record.key, None)
        else:
            value = b"" if record.key.startswith(b"minute/") else record.value
            kept[record.key] = Kept(record.timestamp / 1000, value)


def tidied(kept: Mapping[bytes, Kept], now_s: float) -> list[Record]:
    """The records to write by what the topic holds; none if it is as small as it can be."""
    hours: dict[int, dict[bytes, bytes]] = defaultdict(dict)
    found: list[Record] = []
    for key, one in kept.items():
        kind, _, rest = key.partition(b"/")
        slot = rest.partition(b"/")[0]
        if kind == b"minute" and now_s - one.written_s > MINUTES_S:
            found.append(Record(key, None, []))
        elif kind == b"hour" and _is_number(slot) and now_s > (int(slot) + 1) * HOUR_S + GRACE_S:
            hours[int(slot)][key] = one.value
    for hour, values in hours.items():
        found += _of_hour(hour, values, now_s)
    return found


def _is_number(slot: bytes) -> bool:
    return slot.isdigit() and len(slot) < 12


def _of_hour(hour: int, values: Mapping[bytes, bytes], now_s: float) -> Iterator[Record]:
    is_old = now_s - (hour + 1) * HOUR_S > NAMED_S
    if len(values) == 1 and not (is_old and b'"of":' in next(iter(values.values()))):
        only = next(iter(values))
        if only.endswith(f"/{SUM}".encode()):
            return
    parts = list(_decoded(values))
    total = next((part for part in parts if part.process == SUM), Part(SUM, hour * HOUR_S, HOUR_S, {}))
    others = [part for part in parts if part.process != SUM]
    new = [part for part in others if short_name(part.process) not in total.of]
    yield from (Record(encode(part).key, None, []) for part in others if part not in new)
    if new:
        yield encode(_sum(total, new))
    elif is_old and total.of and not others:
        yield encode(total._replace(of=frozenset()))


def _sum(total: Part, parts: Iterable[Part]) -> Part:
    counts, of = dict(total.counts), set(total.of)
    for part in parts:
        of.add(short_name(part.process))
        add(counts, part.counts)
    return total._replace(counts=counts, of=frozenset(of))


def _decoded(values: Mapping[bytes, bytes]) -> Iterator[Part]:
    """Those that can be read; what others wrote stays until the topic's retention ends it."""
    for key, value in values.items():
        try:
            yield decode(key, value)
        except ValueError:
            continue
