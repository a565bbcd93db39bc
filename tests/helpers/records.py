"""Records as a consumer would get them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass
class Consumed:
    """A :class:`workers.records.consumed.ConsumedRecord` that nobody wrote."""

    topic: str = "todo.jobs.default"
    partition: int = 0
    offset: int = 0
    timestamp: int = 1_700_000_000_000
    key: bytes | None = b"key"
    value: bytes | None = b"value"
    headers: Sequence[tuple[str, bytes | None]] = ()
    unreadable: str | None = None
    #: Of those that cannot be read, if there are several.
    first: int | None = None

    @property
    def first_offset(self) -> int:
        return self.offset if self.first is None else self.first
