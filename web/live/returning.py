"""A client that comes back: what it has seen, and what it missed. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from .ring import Entry
from .send_buffer import MAX_BYTES, MAX_FRAMES
from .session import Session

#: The events that a client missed leave so much of what may wait to the heads of the frames they are sent in.
_HEADS_BYTES = 16 * 1024


@dataclass(slots=True, eq=False)
class Returning:
    """A client that is not up to date: its session, what it has seen, and what was found for it so far."""

    session: Session
    epoch: bytes  #: of which topics it has seen something; the offsets of others mean nothing to it
    offsets: tuple[int, ...]
    cursor: str
    since: float  #: when it began to wait for a log that is followed
    found: list[Entry] = field(default_factory=list)
    size: int = 0

    @property
    def is_too_much(self) -> bool:
        """Whether it missed more than may wait for a client."""
        return len(self.found) > MAX_FRAMES or self.size > MAX_BYTES - _HEADS_BYTES

    @property
    def is_gone(self) -> bool:
        """Whether nothing needs to be found for it any more; for any thread."""
        return self.session.has_left or self.session.ending is not None

    def add(self, entries: Iterable[Entry]) -> None:
        """Add entries that it missed; stops at the first that is too much."""
        for entry in entries:
            if self.is_too_much:
                return
            self.found.append(entry)
            self.size += len(entry.body)
