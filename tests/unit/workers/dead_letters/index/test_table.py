"""The index says the same of a log as a whole reading of it, however the log came to be."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.records import Consumed
from workers import Cluster
from workers.dead_letters import reader
from workers.dead_letters.filter import Filter
from workers.dead_letters.index.table import Index
from workers.dead_letters.letter import DeadLetter, Origin, Reason
from workers.dead_letters.topic.letter_record import encode
from workers.kafka import TopicPartition

PARTITIONS = 2


def a_letter(**fields: Any) -> DeadLetter:
    known: dict[str, Any] = {
        "reason": Reason.FAILED,
        "origin": Origin("jobs", 0, 1, 2),
        "value": b"{}",
        "time_ms": 1_000,
        "group": "g",
    }
    return DeadLetter(**known | fields)


def consumed(letter: DeadLetter, offset: int, *, partition: int = 0, timestamp: int = 0) -> Consumed:
    record = encode(letter)
    return Consumed("t", partition, offset, timestamp, record.key, record.value, record.headers)


class LogReader:
    """Stands in for a TopicReader: reads a list of records."""

    log: Mapping[int, list[Consumed]] = {}

    def __init__(self, *_: Any) -> None: ...
    def open(self) -> None: ...
    def close(self) -> None: ...
    def sizes(self) -> dict[TopicPartition, tuple[int, int]]:
        return {TopicPartition("t", number): (0, len(records)) for number, records in self.log.items()}

    def read_partition(self, partition: TopicPartition, _end: int) -> Iterator[list[Consumed]]:
        yield self.log[partition.partition]


keys = st.sampled_from([b"a", b"a~1", b"a~2", b"b", b"b~1", b"c~0", b"c"])
events = st.lists(
    st.tuples(st.integers(0, PARTITIONS - 1), keys, st.sampled_from(["letter", "end", "junk"])), max_size=14
)


@settings(max_examples=100)
@given(events)
def test_it_holds_what_a_whole_reading_finds(happened: list[tuple[int, bytes, str]]) -> None:
    log: dict[int, list[Consumed]] = {number: [] for number in range(PARTITIONS)}
    for time, (partition, key, kind) in enumerate(happened):
        place = ("t", partition, len(log[partition]), time)
        if kind == "letter":
            headers = encode(a_letter(message_id=f"{time}")).headers
            log[partition].append(Consumed(*place, key, b"{}", headers))
        else:
            log[partition].append(Consumed(*place, key, None if kind == "end" else b"?"))
    index = Index()
    for records in log.values():  # a partition after the other: a stray tombstone may come before its letter
        index.take(records, set(log))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "TopicReader", LogReader)
        patch.setattr(LogReader, "log", log)
        found = {
            (entry.record.partition, entry.record.offset, entry.older)
            for entry in reader.unresolved(Cluster(), "t")
        }
    listed = index.newest(Filter(), 100)
    assert {
        (row.partition, row.offset, index.older(row.partition, log[row.partition][row.offset].key or b""))
        for row in listed
    } == found
    assert index.count(Filter()) == sum(index.counts().values()) == len(found)
    index.close()


LETTERS = [
    a_letter(message_id="one", queue="mail", actor="send", time_ms=10, exception_type="builtins.ValueError"),
    a_letter(message_id="one%", queue="mail", actor="send", time_ms=20, exception_type="smtp.ValueError"),
    a_letter(message_id="tw_o", queue="audit", time_ms=30, reason=Reason.CRASHED, exception_message="row 7"),
    a_letter(message_id="two", time_ms=40, exception_type="ValueError", exception_message="row 8\nmore"),
    a_letter(message_id="none", exception_type="", exception_message="row 9"),
    a_letter(message_id="\ud800", queue="\udfff", exception_message="no 'x' for ann@example.com"),
    a_letter(message_id="at\ud7ffa"),
    a_letter(message_id="at\ue000b"),
    a_letter(message_id="at\U0010ffffc"),
]
FILTERS = [
    Filter(),
    Filter(queue="mail"),
    Filter(queue="MAIL"),
    Filter(queue="'; DROP TABLE letters; --"),
    Filter(actor="send", since_ms=15),
    Filter(until_ms=20),
    Filter(reason=Reason.CRASHED),
    Filter(exception="ValueError"),
    Filter(exception="smtp.ValueError"),
    Filter(exception="Error"),
    Filter(exception=""),
    Filter(exception="", kind="row N"),
    Filter(kind="row N"),
    Filter(kind="no '…' for …@…"),
    Filter(ids=("one",)),
    Filter(ids=("one%", "tw")),
    Filter(ids=("tw_",)),
    Filter(since_ms=2**62),
    Filter(ids=("m", "\ud800")),
    Filter(ids=("at\ud7ff",)),
    Filter(ids=("at\U0010ffff",)),
    Filter(ids=("\U0010ffff",)),
]


@pytest.fixture
def index() -> Iterator[Index]:
    with closing(Index()) as index:
        yield index


@pytest.mark.parametrize("wanted", FILTERS, ids=str)
def test_its_filters_match_as_those_of_the_commands_do(index: Index, wanted: Filter) -> None:
    index.take([consumed(letter, offset) for offset, letter in enumerate(LETTERS)], {0})
    matching = {offset for offset, letter in enumerate(LETTERS) if wanted.matches(letter)}
    assert {row.offset for row in index.newest(wanted, 100)} == matching
    assert index.count(wanted) == len(matching)
    assert set(index.places(wanted).get(0, [])) == matching
    assert sum(group.count for group in index.groups(wanted, 100)) == len(matching)


def test_one_that_forgets_everything_begins_anew(index: Index) -> None:
    index.take([consumed(a_letter(message_id="one", queue="q"), 0)], {0})
    index.clear()
    assert (index.count(Filter()), index.counts(), index.groups(Filter(), 5)) == (0, {}, [])
    index.take([consumed(a_letter(message_id="two", queue="q"), 1)], {0})
    assert index.counts() == {"q": 1}


def test_after_an_error_it_is_empty_and_takes_everything_anew(index: Index) -> None:
    """Also a stray tombstone, which it must not take for known."""
    tombstone = Consumed("t", 0, 900, 10, b"m5", None)  # in another partition than its letter's
    records = [tombstone]
    for offset in range(3_000):
        letter = a_letter(message_id=f"m{offset}", exception_message=f"{offset} " + "x" * 300)
        records.append(consumed(letter, offset, partition=1, timestamp=5))
    ((pages,),) = index._database.execute("PRAGMA page_count")
    index._database.execute(f"PRAGMA max_page_count = {pages + 20}")
    version = index.version
    with pytest.raises(sqlite3.OperationalError, match="full"):
        index.take(records, {0, 1})
    assert index.count(Filter()) == 0
    assert index.version > version
    with closing(Index()) as other:
        for one in (index, other):
            one.take(records, {0, 1})
        assert index.count(Filter()) == other.count(Filter())
        assert index.counts() == other.counts()
        assert index.groups(Filter(), 5) == other.groups(Filter(), 5)


def test_groups_have_the_times_of_their_first_and_last_letter(index: Index) -> None:
    letters = [
        a_letter(message_id=str(one), exception_message=f"row {one}", time_ms=one) for one in (5, 3, 9)
    ]
    index.take([consumed(letter, offset) for offset, letter in enumerate(letters)], {0})
    for wanted in (Filter(), Filter(until_ms=50)):
        (group,) = index.groups(wanted, 5)
        assert (group.kind, group.count, group.first_ms, group.last_ms) == ("row N", 3, 3, 9)


def test_the_times_of_groups_are_right_after_letters_went_and_for_a_part_of_a_group(index: Index) -> None:
    letters = [
        a_letter(message_id=str(one), exception_message=f"row {one}", time_ms=one, queue=f"q{one % 2}")
        for one in range(10)
    ]
    index.take([consumed(letter, offset) for offset, letter in enumerate(letters)], {0})
    index.take([Consumed("t", 0, 10 + one, 0, str(one).encode(), None, []) for one in (0, 9, 8)], {0})
    for wanted, times in ((Filter(), (1, 7)), (Filter(queue="q0"), (2, 6)), (Filter(queue="q1"), (1, 7))):
        assert [(group.first_ms, group.last_ms) for group in index.groups(wanted, 5)] == [times]


def test_the_times_of_kinds_that_fill_a_stretch_of_time_each_are_looked_up_and_not_scanned() -> None:
    def steps(letters_of_each: int) -> int:
        count = 0

        def note() -> int:
            nonlocal count
            count += 1
            return 0

        total = 20 * letters_of_each
        letters = [
            a_letter(message_id=str(one), exception_type=f"E{one // letters_of_each}", time_ms=one)
            for one in range(total)
        ]
        with closing(Index()) as index:
            index.take([consumed(letter, offset) for offset, letter in enumerate(letters)], {0})
            index._database.set_progress_handler(note, 10)
            assert sum(group.count for group in index.groups(Filter(), 20)) == total
            index._database.set_progress_handler(None, 0)
        return count

    assert steps(50) < 2 * steps(5)


def test_pages_of_the_list_hold_each_letter_once_the_newest_first(index: Index) -> None:
    letters = [a_letter(message_id=str(number), time_ms=number // 3) for number in range(20)]
    index.take([consumed(letter, offset) for offset, letter in enumerate(letters)], {0})
    seen: list[int] = []
    after = None
    while page := index.newest(Filter(), 7, after):
        seen += [row.offset for row in page]
        after = (page[-1].time_ms, page[-1].number)
    assert seen == sorted(range(20), key=lambda offset: (letters[offset].time_ms, offset), reverse=True)


def test_a_letter_that_fails_again_is_one_entry_with_its_last_error(index: Index) -> None:
    again = a_letter(message_id="one", exception_type="E", exception_message="second 2", queue="q")
    index.take([consumed(a_letter(message_id="one"), 0), consumed(again, 1)], {0})
    (row,) = index.newest(Filter(), 10)
    assert (row.offset, row.error, index.counts()) == (1, "E: second 2", {"q": 1})
    assert not index.holds(0, 0, b"one")
    assert index.holds(0, 1, b"one")
    assert [(group.exception, group.kind) for group in index.groups(Filter(), 5)] == [("E", "second N")]
