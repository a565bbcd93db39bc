"""The rows that a relay has read and not yet deleted, and which of them may be written now. Pure.

Of the rows with the same topic and key only one is under way at a time, the one with the lowest number: the
next goes when that is written, be it deleted or not. So whichever relay reads a row, and however often, the
first write of a row always comes after the first write of the row before it.

A row that failed, and those of its turn behind it, leave the room to others: a partition that is not
available does not stop the rest. Only so many of them are tried at a time, and only so many are in hand.
"""

from __future__ import annotations

import heapq
from bisect import insort
from collections import deque
from collections.abc import Hashable, Iterable
from operator import attrgetter
from typing import NamedTuple

#: How many rows, and how many bytes of them, a relay has in memory.
MAX_ROWS = 2_000
MAX_BYTES = 32 * 1024 * 1024
#: How many rows of turns that failed are in hand besides; no row is read while there are more. Each number is
#: a parameter of the statement that reads, and SQLite takes some 32,000.
MAX_FAILED_ROWS = 10_000


class Row(NamedTuple):
    """A row of the outbox; see the table for its fields. A tuple, as it is made for each row that is read."""

    id: int
    topic: str
    key: bytes
    is_ordered: bool
    value: bytes
    headers: str
    name: str
    about: str
    size: int
    added_ms: int

    @property
    def turn(self) -> Hashable:
        """Rows with the same turn are written one after another."""
        return (self.topic, self.key) if self.is_ordered else self.id


_number = attrgetter("id")


class InHand:
    """The rows of one relay. For one thread."""

    def __init__(
        self, *, max_rows: int = MAX_ROWS, max_bytes: int = MAX_BYTES, max_failed_rows: int = MAX_FAILED_ROWS
    ) -> None:
        """``max_bytes`` counts twice: once for the rows of turns that failed, once for the others."""
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._max_failed_rows = max_failed_rows
        self._sizes: dict[int, int] = {}
        self._bytes = 0
        #: Rows that wait, by turn and in order; a turn without any is not there.
        self._waiting: dict[Hashable, list[Row]] = {}
        self._under_way: dict[int, Row] = {}
        #: Turns with a row under way, or to be written alone.
        self._busy: set[Hashable] = set()
        self._ready: deque[Hashable] = deque()
        self._later: list[tuple[float, int, Hashable]] = []
        #: Turns whose last write failed, and all their rows in hand.
        self._failed_turns: set[Hashable] = set()
        self._failed_rows: set[int] = set()
        self._failed_bytes = 0
        self._failed_under_way = 0
        self._held_topics: dict[str, float] = {}
        #: Rows that were refused together with others: each is written alone, as another may be the cause.
        self._suspects: deque[Row] = deque()
        self._alone: int | None = None

    def __len__(self) -> int:
        return len(self._sizes)

    @property
    def ids(self) -> list[int]:
        """The numbers of all rows in hand."""
        return list(self._sizes)

    @property
    def under_way(self) -> int:
        """How many rows are being written."""
        return len(self._under_way)

    @property
    def room(self) -> int:
        """How many more rows may be read; none before half of the room is free, as each look costs."""
        too_many_failed = len(self._failed_rows) >= self._max_failed_rows
        if too_many_failed or self._failed_bytes >= self._max_bytes or not self.free_bytes:
            return 0
        room = self._max_rows - (len(self._sizes) - len(self._failed_rows))
        return room if room >= self._max_rows // 2 else 0

    @property
    def free_bytes(self) -> int:
        """How many bytes of rows may be read."""
        return max(0, self._max_bytes - (self._bytes - self._failed_bytes))

    def held_topics(self, now: float) -> list[str]:
        """The topics whose rows are not to be read now."""
        self._held_topics = {topic: until for topic, until in self._held_topics.items() if until > now}
        return list(self._held_topics)

    def add(self, rows: Iterable[Row]) -> None:
        """Take rows that were read, in any order. One that is in hand already is passed over."""
        for row in rows:
            if row.id in self._sizes:
                continue
            self._sizes[row.id] = row.size
            self._bytes += row.size
            self._queue(row)

    def take(self, now: float) -> Row | None:
        """The next row to write, which is under way from now on; None if none may go yet."""
        if self._suspects:
            return self._take_suspect()
        if self._alone is not None:
            return None
        while (turn := self._next_turn(now)) is not None:
            rows = self._waiting.get(turn)
            if rows and turn not in self._busy:
                row = rows.pop(0)
                if not rows:
                    del self._waiting[turn]
                self._busy.add(turn)
                self._begin(row)
                return row
        return None

    def due_in(self, now: float) -> float | None:
        """Seconds until a row that failed may be written again; None if an answer has to come before that."""
        if not self._later or self._suspects or self._alone is not None or not self._may_try_failed():
            return None
        return max(0.0, self._later[0][0] - now)

    def written(self, row_id: int) -> None:
        """The next row of its turn may go. The row stays in hand until it is no longer in the outbox."""
        row = self._end(row_id)
        self._note_works(row)
        self._turn_works(row.turn)
        self._make_ready(row.turn)

    def forget(self, row_ids: Iterable[int]) -> None:
        """Forget rows that were written and are no longer in the outbox, or are set aside there."""
        for row_id in row_ids:
            self._bytes -= self._sizes.pop(row_id)

    def done(self, row_id: int) -> None:
        """Do as :meth:`written` and :meth:`forget` do."""
        self.written(row_id)
        self.forget([row_id])

    def again(self, row_id: int, at: float) -> None:
        """Write a row again at that time, and those of its turn after it."""
        row = self._end(row_id)
        self._failed_turns.add(row.turn)
        for waiting in self._waiting.get(row.turn, ()):
            self._note_failed(waiting)
        self._queue(row, is_ready=False)
        heapq.heappush(self._later, (at, row.id, row.turn))

    def refused(self, row_id: int) -> bool:
        """Whether a row that was refused for good was written alone; if not, it will be."""
        if self._alone == row_id:
            return True
        row = self._interrupt(row_id)
        self._suspects.append(row)  # its turn stays busy
        return False

    def hold_until(self, topic: str, until: float) -> None:
        """Read no rows of a topic before that time."""
        self._held_topics[topic] = until

    def hold(self, row_id: int, until: float) -> None:
        """Give back all rows of this one's topic, whose rows are not to be read before that time."""
        row = self._end(row_id)
        self._give_back(row)
        self._turn_works(row.turn)
        self.hold_until(row.topic, until)
        for turn, rows in list(self._waiting.items()):
            if rows[0].topic == row.topic:
                del self._waiting[turn]
                for waiting in rows:
                    self._give_back(waiting)
                if turn not in self._busy:
                    self._failed_turns.discard(turn)

    def _may_try_failed(self) -> bool:
        """Whether one more row of a turn that failed may be under way: others keep half of the room."""
        return self._failed_under_way < max(1, self._max_rows // 2)

    def _next_turn(self, now: float) -> Hashable | None:
        """The next turn that may have a row to write; those that failed come after the others."""
        if self._ready:
            return self._ready.popleft()
        if self._later and self._later[0][0] <= now and self._may_try_failed():
            return heapq.heappop(self._later)[2]
        return None

    def _take_suspect(self) -> Row | None:
        if self._under_way:
            return None
        row = self._suspects.popleft()
        self._alone = row.id
        self._begin(row)
        return row

    def _begin(self, row: Row) -> None:
        self._under_way[row.id] = row
        self._failed_under_way += row.id in self._failed_rows

    def _interrupt(self, row_id: int) -> Row:
        self._failed_under_way -= row_id in self._failed_rows
        return self._under_way.pop(row_id)

    def _end(self, row_id: int) -> Row:
        row = self._interrupt(row_id)
        self._busy.discard(row.turn)
        if self._alone == row_id:
            self._alone = None
        return row

    def _queue(self, row: Row, *, is_ready: bool = True) -> None:
        rows = self._waiting.setdefault(row.turn, [])
        insort(rows, row, key=_number)
        if row.turn in self._failed_turns:
            self._note_failed(row)
        if is_ready and len(rows) == 1:
            self._make_ready(row.turn)

    def _make_ready(self, turn: Hashable) -> None:
        if turn in self._waiting and turn not in self._busy:
            self._ready.append(turn)

    def _note_failed(self, row: Row) -> None:
        if row.id not in self._failed_rows:
            self._failed_rows.add(row.id)
            self._failed_bytes += row.size

    def _note_works(self, row: Row) -> None:
        if row.id in self._failed_rows:
            self._failed_rows.remove(row.id)
            self._failed_bytes -= row.size

    def _turn_works(self, turn: Hashable) -> None:
        self._failed_turns.discard(turn)
        for row in self._waiting.get(turn, ()):
            self._note_works(row)

    def _give_back(self, row: Row) -> None:
        self._note_works(row)
        self.forget([row.id])
