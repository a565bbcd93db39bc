"""An index of dead letters: which there are, by what is asked of them. It holds no job and no traceback.

It takes the records of the topic one after another and keeps to the rules of `dead_letters.reader`: the last
record of a key counts, a tombstone ends it, of several generations only the last one counts, and a stray
tombstone ends a letter in another partition. So it is right for the records that it has taken, at any time.

The rows are in a private SQLite database that is on the disk as far as it does not fit in its cache.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ...records.consumed import ConsumedRecord
from ..filter import Filter
from ..keys import generation_of, id_of, key_of
from ..kinds import kind_of
from ..letter import DeadLetter
from ..topic.letter_record import decode
from ..topic.stray_tombstones import Strays, is_ended, note_stray
from .conditions import NO_TEXT, condition_of, storable
from .schema import LISTED, NAMES, PUT, TIMES, empty_database

#: Texts that are kept by number; characters of an error in a list.
_KNOWN_TEXTS = 50_000
_ERROR_CHARS = 200

_GENERATIONS = re.compile(rb"~\d{1,6}$")


@dataclass(frozen=True, slots=True)
class Row:
    """A dead letter in a list. ``number`` and ``time_ms`` order rows, the newest first."""

    number: int
    partition: int
    offset: int
    id: str
    time_ms: int
    queue: str | None
    actor: str | None
    reason: str
    exception: str | None
    error: str
    attempts: int
    replays: int


@dataclass(frozen=True, slots=True)
class Group:
    """Dead letters with one exception and one kind of text."""

    exception: str | None
    kind: str
    count: int
    first_ms: int
    last_ms: int


class Index:
    """The unresolved dead letters in a temporary database, to be filtered and counted.

    For any thread: each call waits for the others, which take some milliseconds.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._database = empty_database()
        self._numbers: dict[str, int] = {}
        self._strays: Strays = {}
        #: Grows with each change.
        self.version = 0

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._renew()

    def take(self, records: Iterable[ConsumedRecord], partitions: Collection[int]) -> None:
        """Take in the records that follow; ``partitions`` are all of the topic's. Empty after an error."""
        with self._lock:
            try:
                self._take(records, partitions)
            except BaseException:
                self._renew()
                raise

    def _take(self, records: Iterable[ConsumedRecord], partitions: Collection[int]) -> None:
        self._database.execute("BEGIN")
        before = self._database.total_changes
        for record in records:
            if record.key is not None and record.value is not None:  # all of ours have a key
                self._put(record)
            elif record.key is not None:
                self._end(record, partitions)
        self._database.execute("COMMIT")
        if self._database.total_changes != before:
            self.version += 1

    def _renew(self) -> None:
        """Begin with an empty database: one without a journal cannot take back a part of what it took."""
        self._database.close()
        self._database = empty_database()
        self._numbers.clear()
        self._strays.clear()
        self.version += 1

    def count(self, wanted: Filter) -> int:
        """How many match; the text of a filter, which needs the letters themselves, is left out."""
        if _is_summed(wanted):
            where, values = condition_of(wanted, "count > 0")
            ((total,),) = self._ask(f"SELECT total(count) FROM sums WHERE {where}", values)
        else:
            where, values = condition_of(wanted)
            ((total,),) = self._ask(f"SELECT count(*) FROM letters WHERE {where}", values)
        return int(total)

    def counts(self) -> dict[str, int]:
        """How many there are of each queue; those of no queue are under ""."""
        rows = self._ask(
            "SELECT coalesce(t.text, ''), n FROM (SELECT queue, sum(count) n FROM sums GROUP BY queue) "
            "LEFT JOIN texts t ON t.number = queue",
            [],
        )
        return dict(rows)

    def newest(self, wanted: Filter, limit: int, after: tuple[int, int] | None = None) -> list[Row]:
        """The newest that match; with ``after``, a row's time and number, those behind it."""
        where, values = condition_of(wanted)
        if after is not None:
            where, values = f"{where} AND (time, number) < (?, ?)", [*values, *after]
        # Those with an id are few: they are found by it, and sorted.
        order = f"ORDER BY {'+' if wanted.ids else ''}time DESC, number DESC LIMIT ?"
        return [Row(*row) for row in self._ask(f"{LISTED} WHERE {where} {order}", [*values, limit])]

    def groups(self, wanted: Filter, limit: int) -> list[Group]:
        """The most frequent kinds of those that match."""
        if _is_summed(wanted):
            return self._summed_groups(wanted, limit)
        where, values = condition_of(wanted)
        rows = self._ask(
            f"SELECT {NAMES}, count(*), min(time), max(time) FROM letters "
            f"WHERE {where} GROUP BY exception, kind ORDER BY count(*) DESC LIMIT ?",
            [*values, limit],
        )
        return [Group(*row) for row in rows]

    def _summed_groups(self, wanted: Filter, limit: int) -> list[Group]:
        """As :meth:`groups`; times are looked up for the most frequent kinds alone."""
        where, values = condition_of(wanted, "count > 0")
        grouped = "GROUP BY exception, kind ORDER BY sum(count) DESC"
        most = f"SELECT exception, kind FROM sums WHERE {where} {grouped} LIMIT ?"
        rows = self._ask(
            f"SELECT {NAMES}, sum(count), {TIMES} FROM sums "
            f"WHERE {where} AND (exception, kind) IN ({most}) {grouped}",
            [*values, *values, limit],
        )
        return [Group(*row) for row in rows]

    def find(self, letter_id: str) -> Row | None:
        """The dead letter with this id."""
        found = self._ask(f"{LISTED} WHERE id = ? AND is_old = 0 LIMIT 1", [letter_id])
        return Row(*found[0]) if found else None

    def places(self, wanted: Filter) -> dict[int, list[int]]:
        """The offsets of those that match, ascending, by partition; without the text as :meth:`count`."""
        where, values = condition_of(wanted)
        found: dict[int, list[int]] = {}
        for partition, place in self._ask(
            f"SELECT partition, place FROM letters WHERE {where} ORDER BY partition, place",
            values,
        ):
            found.setdefault(partition, []).append(place)
        return found

    def holds(self, partition: int, offset: int, key: bytes) -> bool:
        """Whether the record there is an unresolved dead letter."""
        return bool(
            self._ask(
                "SELECT 1 FROM letters WHERE partition = ? AND key = ? AND place = ? AND is_old = 0",
                [partition, key, offset],
            )
        )

    def older(self, partition: int, key: bytes) -> tuple[bytes, ...]:
        """The keys of the unresolved generations before a letter's, the last one first."""
        if not _GENERATIONS.search(key):
            return ()
        with self._lock:
            found = self._generations(partition, id_of(key))
        earlier = sorted(((generation_of(one), one) for one in found), reverse=True)
        return tuple(one for generation, one in earlier if generation < generation_of(key))

    def _ask(self, statement: str, values: Sequence[Any]) -> list[Any]:
        with self._lock:
            return self._database.execute(statement, values).fetchall()

    def _put(self, record: ConsumedRecord) -> None:
        assert record.key is not None
        letter = _decoded(record)
        # One that does not count may still be the last generation of its id.
        is_out = letter is None or is_ended(record, self._strays)
        facts = [None] * 10 if letter is None else self._facts(letter)
        place = (record.partition, record.offset, record.timestamp, record.key, is_out, is_out)
        self._database.execute(PUT, [*place, *facts])
        if self._generations(record.partition, id_of(record.key)) != [record.key]:
            self._count_last(record.partition, id_of(record.key))

    def _facts(self, letter: DeadLetter) -> list[Any]:
        texts = (
            letter.queue,
            letter.actor,
            letter.reason.value,
            letter.exception_type,
            kind_of(letter.exception_message),
        )
        return [
            storable(letter.id),
            letter.time_ms,
            *(NO_TEXT if text is None else self._number(storable(text)) for text in texts),
            storable(letter.error[:_ERROR_CHARS]),
            letter.attempts,
            letter.replays,
        ]

    def _end(self, tombstone: ConsumedRecord, partitions: Collection[int]) -> None:
        assert tombstone.key is not None
        if self._remove(tombstone.partition, tombstone.key):
            return
        before = self._strays.get(tombstone.key)
        note_stray(tombstone, set(partitions), self._strays)
        ended_at = self._strays.get(tombstone.key)
        if ended_at == before:
            return
        self._database.execute(
            "UPDATE letters SET is_ended = 1, is_old = 1 WHERE key = ? AND stamp <= ?",
            [tombstone.key, ended_at],
        )

    def _remove(self, partition: int, key: bytes) -> bool:
        """Remove a letter; whether there was one. A generation before it counts again."""
        removed = self._database.execute(
            "DELETE FROM letters WHERE partition = ? AND key = ?", [partition, key]
        ).rowcount
        if removed:
            self._count_last(partition, id_of(key))
        return bool(removed)

    def _count_last(self, partition: int, letter_id: bytes) -> None:
        """Let only the last generation of an id count."""
        found = self._generations(partition, letter_id)
        last = max(map(generation_of, found), default=0)
        for key in found:
            generation = generation_of(key)
            is_old = generation < last and key == key_of(letter_id, generation)
            self._database.execute(
                "UPDATE letters SET is_old = is_ended OR ? WHERE partition = ? AND key = ?",
                [is_old, partition, key],
            )

    def _generations(self, partition: int, letter_id: bytes) -> list[bytes]:
        """The keys of a letter's generations."""
        rows = self._database.execute(
            "SELECT key FROM letters WHERE partition = ? AND key = ? UNION ALL "
            "SELECT key FROM letters WHERE partition = ? AND key >= ? AND key < ?",
            [partition, letter_id, partition, letter_id + b"~0", letter_id + b"~:"],
        )
        return [key for (key,) in rows if id_of(key) == letter_id]

    def _number(self, text: str) -> int:
        """The number of a text that many letters have."""
        number = self._numbers.get(text)
        if number is None:
            self._database.execute("INSERT OR IGNORE INTO texts (text) VALUES (?)", [text])
            ((number,),) = self._database.execute("SELECT number FROM texts WHERE text = ?", [text])
            if len(self._numbers) >= _KNOWN_TEXTS:
                self._numbers.clear()
            self._numbers[text] = number
        return number


def _is_summed(wanted: Filter) -> bool:
    """Whether the sums can answer a filter: they have no ids and no times."""
    return not wanted.ids and wanted.since_ms is None and wanted.until_ms is None


def _decoded(record: ConsumedRecord) -> DeadLetter | None:
    try:
        return decode(record.value or b"", record.headers)
    except (KeyError, ValueError):
        return None
