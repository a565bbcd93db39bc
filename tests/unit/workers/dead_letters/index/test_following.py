"""When the index goes on, when it begins anew, and what it finds while it is followed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from uuid import UUID, uuid4

import pytest

from tests.helpers.records import Consumed
from tests.unit.workers.dead_letters.index.test_table import a_letter, consumed
from workers import Cluster
from workers.dead_letters.filter import Filter
from workers.dead_letters.index import following
from workers.dead_letters.index.following import Built, IndexedLetters
from workers.dead_letters.index.table import Index
from workers.errors import KafkaUnreachable
from workers.kafka import TopicPartition

HOUR_S = 3_600.0


class Topic:
    """A topic as Kafka has it, and the time. Kafka has removed what is None."""

    def __init__(self, partitions: int = 1) -> None:
        self.now = 1_700_000_000.0
        self.id: UUID | None = uuid4()
        self.logs: dict[int, list[Consumed | None]] = {number: [] for number in range(partitions)}

    def add(self, *ids: str, partition: int = 0) -> None:
        log = self.logs[partition]
        log += [
            consumed(a_letter(message_id=one), len(log) + at, partition=partition)
            for at, one in enumerate(ids)
        ]

    def resolve(self, letter_id: str) -> None:
        self.logs[0].append(Consumed("t", 0, len(self.logs[0]), 0, letter_id.encode(), None))

    def clean(self, *offsets: int) -> None:
        for offset in offsets:
            self.logs[0][offset] = None


class Reader:
    """Reads it as a TopicReader; it knows the partitions that there were when it was opened."""

    def __init__(self, topic: Topic) -> None:
        self._topic = topic

    def open(self) -> None:
        self._at = {TopicPartition("t", number): 0 for number in self._topic.logs}

    def close(self) -> None: ...
    def topic_id(self, _topic: str) -> UUID | None:
        return self._topic.id

    def sizes(self) -> dict[TopicPartition, tuple[int, int]]:
        return {one: (0, len(self._topic.logs[one.partition])) for one in self._at}

    def go_to(self, positions: Mapping[TopicPartition, int]) -> None:
        self._at.update(positions)

    def positions(self) -> dict[TopicPartition, int]:
        return dict(self._at)

    def read(self, _timeout_ms: int) -> list[Consumed]:
        return list(self.read_to_end())

    def read_to_end(self) -> Iterator[Consumed]:
        for one, at in self._at.items():
            log = self._topic.logs[one.partition]
            self._at[one] = len(log)
            yield from (record for record in log[at:] if record is not None)


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> Topic:
    topic = Topic()
    monkeypatch.setattr(following, "TopicReader", lambda *_: Reader(topic))
    return topic


@pytest.fixture
def letters(topic: Topic) -> Iterator[IndexedLetters]:
    letters = IndexedLetters(Cluster(("127.0.0.1:1",)), "t", clock=lambda: topic.now)
    yield letters
    letters.close()


def build(letters: IndexedLetters) -> None:
    with letters:
        while not letters.built.is_complete:
            letters.step(0)


def ids(index: Index) -> set[str]:
    return {row.id for row in index.newest(Filter(), 10_000)}


def test_an_index_that_is_far_behind_is_not_complete_until_it_has_caught_up(
    topic: Topic, letters: IndexedLetters
) -> None:
    topic.add("old")
    build(letters)
    topic.add(*(f"m{number}" for number in range(3_000)))
    with letters:
        assert letters.built == Built(1, 3_001)
        assert "m2999" in ids(letters.newest)
        assert "old" not in ids(letters.newest)
        while not letters.built.is_complete:
            letters.step(0)
        assert letters.index.count(Filter()) == 3_001


def test_an_index_that_is_a_little_behind_is_right_when_it_is_entered(
    topic: Topic, letters: IndexedLetters
) -> None:
    topic.add("one", "two")
    build(letters)
    topic.resolve("one")
    topic.add("three")
    with letters:
        assert letters.built.is_complete
        assert ids(letters.index) == {"two", "three"}


def test_after_an_error_it_is_built_anew(
    topic: Topic, letters: IndexedLetters, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic.add("one", "two")
    build(letters)
    with monkeypatch.context() as full, letters:
        topic.add("three", "four")
        full.setattr(letters.index, "_put", fails)
        with pytest.raises(sqlite3.OperationalError):
            letters.step(0)
    assert not letters.built.is_complete
    build(letters)
    assert ids(letters.index) == {"one", "two", "three", "four"}


def test_after_an_error_that_its_user_outlives_it_is_built_anew(
    topic: Topic, letters: IndexedLetters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index was empty then; what came later was taken for all that there is."""
    topic.add("one", "two")
    build(letters)
    with letters:
        with monkeypatch.context() as full:
            topic.add("three")
            full.setattr(letters.index, "_put", fails)
            with pytest.raises(sqlite3.OperationalError):
                letters.catch_up()
        assert not letters.built.is_complete
        topic.add("four")
        letters.step(0)
        assert letters.built == Built(4, 4)
        assert ids(letters.index) == {"one", "two", "three", "four"}
        assert letters.right_at == topic.now


def test_what_was_read_but_not_taken_in_when_kafka_went_away_is_read_again(
    topic: Topic, letters: IndexedLetters, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_to_end = Reader.read_to_end

    def breaks_off(reader: Reader) -> Iterator[Consumed]:
        yield next(read_to_end(reader))
        raise KafkaUnreachable

    topic.add("one")
    build(letters)
    with letters:
        topic.add("two", "three")
        with monkeypatch.context() as away:
            away.setattr(Reader, "read_to_end", breaks_off)
            with pytest.raises(KafkaUnreachable):
                letters.catch_up()
        letters.step(0)
        assert ids(letters.index) == {"one", "two", "three"}


def fails(_: Consumed) -> None:
    raise sqlite3.OperationalError("database or disk is full")


def test_after_hours_it_is_built_anew_as_tombstones_may_be_gone(
    topic: Topic, letters: IndexedLetters
) -> None:
    topic.add("one", "two")
    build(letters)
    topic.resolve("one")
    topic.add("three")
    topic.clean(0, 2)
    topic.now += 25 * HOUR_S
    build(letters)
    assert ids(letters.index) == ids(letters.newest) == {"two", "three"}


def test_hours_in_which_it_was_followed_do_not_count(topic: Topic, letters: IndexedLetters) -> None:
    topic.add("one", "two")
    with letters:
        letters.step(0)
        topic.now += 25 * HOUR_S
        letters.step(0)
    topic.clean(0)  # would not be found again
    topic.now += HOUR_S
    build(letters)
    assert ids(letters.index) == {"one", "two"}


def test_a_topic_made_anew_is_noticed_though_it_is_longer(topic: Topic, letters: IndexedLetters) -> None:
    topic.add("one", "two")
    build(letters)
    topic.logs[0].clear()
    topic.add("three", "four", "five")
    topic.id = uuid4()
    build(letters)
    assert ids(letters.index) == {"three", "four", "five"}


@pytest.mark.parametrize("before", [0, 1])
def test_a_topic_and_partitions_that_come_later_are_found(
    topic: Topic, letters: IndexedLetters, before: int
) -> None:
    topic.logs = {number: [] for number in range(before)}
    with letters:
        letters.step(0)
        assert letters.has_topic == bool(before)
        topic.logs = {0: [], 1: []}
        topic.add("one")
        topic.add("two", partition=1)
        topic.now += 60
        letters.step(0)
        assert letters.has_topic
        assert ids(letters.index) == {"one", "two"}


def test_it_takes_in_portions_when_it_catches_up(
    topic: Topic, letters: IndexedLetters, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    take = Index.take

    def noted(index: Index, records: Iterable[Consumed], partitions: set[int]) -> None:
        records = list(records)
        sizes.append(len(records))
        take(index, records, partitions)

    topic.add("one")
    with letters:
        letters.step(0)
        topic.add(*(f"m{number}" for number in range(1_200)))
        monkeypatch.setattr(Index, "take", noted)
        letters.catch_up()
    assert sizes == [500, 500, 200]
    assert letters.index.count(Filter()) == 1_201


def test_it_says_when_it_last_had_all_that_there_was_also_of_a_topic_that_is_not_there(
    topic: Topic, letters: IndexedLetters
) -> None:
    logs, topic.logs = topic.logs, {}
    build(letters)
    for _ in range(2):
        topic.now += 5
        with letters:
            assert letters.right_at == topic.now
        topic.logs = logs
    topic.add("one")
    with letters:
        right_at, topic.now = topic.now, topic.now + 5
        topic.add("two")
        assert letters.step(0)
        assert letters.right_at == right_at
        assert not letters.step(0)
        assert letters.right_at == topic.now
