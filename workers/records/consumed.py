"""A record as a consumer gets it. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class ConsumedRecord(Protocol):
    """A record read from a topic; ``timestamp`` is in ms, as the topic has it, and below 1 if it has none.

    ``headers`` may be read anew each time they are asked for: ask once.
    """

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def unreadable(self) -> str | None:
        """Why the records from ``first_offset`` to ``offset`` cannot be read; None for a sound record.

        Then ``value`` is the batch that holds them, as it is in the log, and there is no key and no header.
        """

    @property
    def first_offset(self) -> int: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


def age_s(record: ConsumedRecord, now_s: float) -> float | None:
    """How old a record is, at least 0; None if no time of it is known, as of a batch that cannot be read."""
    return max(0.0, now_s - record.timestamp / 1000) if record.timestamp > 0 else None
