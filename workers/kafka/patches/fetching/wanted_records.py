"""Leaves the records out of a batch that a reader does not want, before they are unpacked. Pure: no I/O.

To unpack a record costs several times as much as to find out where it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .record_batches import varint

#: Finds places in the bytes of some records, in rising order: a record with none of them is not wanted. None:
#: all are wanted. The bytes also have the keys, headers and lengths of the records.
FindWanted = Callable[[bytes], Sequence[int] | None]


def wanted_of(raw: bytes, count: int, places: Sequence[int] | None) -> tuple[bytes, int]:
    """The bytes of those of ``count`` records in which there are ``places``, and how many they are.

    All are kept if a record up to that of the last place is damaged, or a place is behind all records:
    whoever reads them says so. Behind the last place nothing is looked at.
    """
    if places is None:
        return raw, count
    kept: list[bytes] = []
    waiting = iter(places)
    place = next(waiting, None)
    at = 0
    for _ in range(count):
        if place is None:
            break
        start = at
        try:
            length, at = varint(raw, at)
        except IndexError:
            return raw, count
        at += length
        if not start < at <= len(raw):
            return raw, count
        if place < at:
            kept.append(raw[start:at])
            while place is not None and place < at:
                place = next(waiting, None)
    return (b"".join(kept), len(kept)) if place is None else (raw, count)
