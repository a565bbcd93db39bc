"""The ring: the newest events of the log, by user, for clients that come back soon. Pure.

Its memory is bounded. It holds every event that anybody may see, from ``starts`` of each partition on.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

#: What an entry takes besides its texts: the object, its place in the queue of all.
_ENTRY_BYTES = 400
#: What each user of an entry takes besides the name: the text, a place in the user's queue.
_PLACE_BYTES = 80
#: What the queue of a user takes, however few entries are in it.
_QUEUE_BYTES = 800


@dataclass(slots=True, eq=False)
class Entry:
    """An event that somebody may see. ``body`` is its JSON; ``cursor`` says how far the log was read then.

    ``users`` is None if everybody may see it. Of two entries with the same ``replaces`` a client that is slow
    may get the newer one only; None: it is never left out.
    """

    partition: int
    offset: int
    users: tuple[str, ...] | None
    body: str
    cursor: str
    replaces: str | None = None
    number: int = 0

    @property
    def size(self) -> int:
        """About how many bytes it takes in memory; its texts are ASCII."""
        users = sum(len(user) + _PLACE_BYTES for user in self.users or ())
        return len(self.body) + len(self.cursor) + users + _ENTRY_BYTES


class Ring:
    """The newest entries, in the order in which they were added."""

    def __init__(self, max_bytes: int, starts: Sequence[int]) -> None:
        """``starts``: the offset from which on each partition's events will be added."""
        self.starts = list(starts)
        self.bytes = 0
        self._max_bytes = max_bytes
        self._entries: deque[Entry] = deque()
        self._by_user: dict[str | None, deque[Entry]] = {}
        self._numbers = 0

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: Entry) -> None:
        """Add the newest entry; the oldest ones go if it gets too much."""
        self._numbers += 1
        entry.number = self._numbers
        self._entries.append(entry)
        for user in _places(entry):
            if user not in self._by_user:
                self._by_user[user] = deque()
                self.bytes += _QUEUE_BYTES
            self._by_user[user].append(entry)
        self.bytes += entry.size
        while self.bytes > self._max_bytes and len(self._entries) > 1:
            self._forget_oldest()

    def covers(self, offsets: Sequence[int]) -> bool:
        """Whether every event from these offsets on is here."""
        return all(offset >= start for offset, start in zip(offsets, self.starts, strict=True))

    def since(self, user: str, offsets: Sequence[int]) -> Iterator[Entry]:
        """The entries that the user may see from these offsets on, in the order of :meth:`add`."""
        queues = (self._by_user.get(user, ()), self._by_user.get(None, ()))
        for entry in heapq.merge(*queues, key=lambda entry: entry.number):
            if entry.offset >= offsets[entry.partition]:
                yield entry

    def _forget_oldest(self) -> None:
        entry = self._entries.popleft()
        self.bytes -= entry.size
        self.starts[entry.partition] = max(self.starts[entry.partition], entry.offset + 1)
        for user in _places(entry):
            queue = self._by_user[user]
            queue.popleft()  # the oldest of all is the oldest of each of its users
            if not queue:
                del self._by_user[user]
                self.bytes -= _QUEUE_BYTES


def _places(entry: Entry) -> tuple[str | None, ...]:
    return (None,) if entry.users is None else entry.users
