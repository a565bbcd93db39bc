"""Reads what a dead letter holds, for people: as the application's encoder reads it. Pure: no I/O."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from typing import Any

from dramatiq import get_encoder


def read(value: bytes | None) -> Any:
    """The job as the application's encoder reads it, else as plain JSON; None for other bytes."""
    for decode in (get_encoder().decode, json.loads):
        with suppress(Exception):  # an encoder may raise anything for bytes that it did not write
            return decode(value or b"")
    return None


def texts_in(value: Any) -> Iterator[str]:
    """Every text in a value, keys included; bytes and whatever else is no container as Python writes them."""
    # Not by recursion: a job may be nested deeper than that can go, or hold itself.
    left, seen = [value], set()
    while left:
        one = left.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, bytes | bytearray):
            yield one.decode(errors="backslashreplace")
        elif isinstance(one, Collection):
            if id(one) not in seen:
                seen.add(id(one))
                left += [*one, *one.values()] if isinstance(one, Mapping) else one
        elif one is not None:
            with suppress(Exception):  # a type of the application's own may fail to be written
                yield str(one)
