"""A dead-letter topic is read, and its entries end, on a real Kafka."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.helpers.kafka_reading import letters_of, read_topic
from tests.helpers.other_services import foreign_producer
from tests.helpers.waiting import wait_for
from workers import KafkaBroker
from workers.dead_letters import reader as dead_letter_reader
from workers.dead_letters.filter import Filter
from workers.dead_letters.keys import id_of
from workers.dead_letters.letter import DeadLetter, Origin, Reason
from workers.dead_letters.reader import Counts
from workers.dead_letters.resolving import Resolution, resolve
from workers.dead_letters.selection import Search
from workers.dead_letters.topic.letter_record import encode
from workers.errors import KafkaUnreachable, NotAuthorized, UnknownQueue
from workers.kafka import partition_of
from workers.records.envelope import Record
from workers.records.headers import REPLAYS_HEADER

Write = Callable[..., None]


def a_letter(number: int, *, replays: int = 0, queue: str = "mail") -> DeadLetter:
    return DeadLetter(
        reason=Reason.FAILED,
        origin=Origin("t.jobs.mail", 0, number, 1),
        value=b"{}",
        time_ms=number,
        group="g",
        message_id=f"m-{number}",
        actor="send",
        queue=queue,
        job_headers=((REPLAYS_HEADER, str(replays).encode()),) if replays else (),
    )


@pytest.fixture
def write(broker: KafkaBroker) -> Write:
    broker.declare_queue("mail")
    broker.prepare()

    def write(*letters: DeadLetter, ended: bool = False) -> None:
        for letter in letters:
            record = Record(letter.key, None, []) if ended else encode(letter)
            broker.producer.deliver(broker.topics.dead_letters, record, beside=id_of(letter.key))

    return write


def shown(broker: KafkaBroker) -> list[tuple[str, int]]:
    return sorted((letter.id, letter.replays) for letter in letters_of(broker))


def end_all(broker: KafkaBroker) -> Resolution:
    outcome = Resolution()
    topic = broker.topics.dead_letters
    entries = dead_letter_reader.unresolved(broker.cluster, topic)
    resolve(broker.producer, topic, entries, lambda _: (), outcome)
    return outcome


def test_a_job_that_failed_again_is_shown_once_though_its_first_entry_was_never_ended(
    broker: KafkaBroker, write: Write
) -> None:
    write(*(a_letter(number) for number in range(8)))
    write(a_letter(3, replays=1), a_letter(3, replays=2), a_letter(5, replays=1))
    write(a_letter(5), ended=True)
    assert shown(broker) == sorted(
        [*((f"m-{number}", 0) for number in (0, 1, 2, 4, 6, 7)), ("m-3", 2), ("m-5", 1)]
    )
    assert Counts(broker.cluster, broker.topics.dead_letters).count() == {"mail": 8}
    assert end_all(broker).done == 8
    assert shown(broker) == []  # and none of the generations before has come to light


def test_the_tombstone_of_a_replay_does_not_hide_that_the_job_failed_again(
    broker: KafkaBroker, write: Write
) -> None:
    write(a_letter(1), a_letter(1, replays=1))
    write(a_letter(1), ended=True)  # a slow replay's tombstone comes last
    assert shown(broker) == [("m-1", 1)]


def test_generations_of_an_id_are_in_one_partition(broker: KafkaBroker, write: Write) -> None:
    write(*(a_letter(number, replays=replays) for number in range(10) for replays in range(3)))
    places: dict[bytes, set[int]] = {}
    for record in read_topic(broker.cluster, broker.topics.dead_letters):
        places.setdefault(id_of(record.key), set()).add(record.partition)
    assert len(places) == 10
    assert all(len(partitions) == 1 for partitions in places.values())


def test_many_keys_are_looked_at_in_parts_and_give_the_same(
    broker: KafkaBroker, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(*(a_letter(number, queue=f"q{number % 3}") for number in range(60)))
    write(*(a_letter(number, queue="q0") for number in range(0, 60, 5)))
    write(*(a_letter(number, replays=1, queue="q1") for number in range(0, 60, 7)))
    write(*(a_letter(number) for number in range(1, 60, 4)), ended=True)
    at_once, counts = shown(broker), Counts(broker.cluster, broker.topics.dead_letters).count()
    monkeypatch.setattr(dead_letter_reader, "_KEYS_AT_ONCE", 7)
    told: list[tuple[int, int]] = []
    topic = broker.topics.dead_letters
    entries = dead_letter_reader.unresolved(broker.cluster, topic, lambda *counts: told.append(counts))
    assert sorted((entry.letter.id, entry.letter.replays) for entry in entries) == at_once
    assert Counts(broker.cluster, topic).count() == counts
    assert [read for read, _ in told] == sorted(read for read, _ in told)
    assert told[-1][0] == told[-1][1]


def test_counting_again_reads_only_what_changed(broker: KafkaBroker, write: Write) -> None:
    counts = Counts(broker.cluster, broker.topics.dead_letters)
    write(*(a_letter(number) for number in range(20)))
    assert counts.count() == {"mail": 20}
    reads: list[int] = []
    assert counts.count(lambda read, _: reads.append(read)) == {"mail": 20}
    assert reads == []
    write(a_letter(3), ended=True)
    assert counts.count() == {"mail": 19}


def test_what_cannot_be_revived_stays_and_is_named(broker: KafkaBroker, write: Write) -> None:
    write(a_letter(1), a_letter(2, queue="gone"))
    outcome = Resolution()
    topic = broker.topics.dead_letters

    def revive(entry: dead_letter_reader.Entry) -> list[tuple[str, Record]]:
        broker.require_queue(str(entry.letter.queue))
        return [(broker.topics.jobs("mail"), Record(b"k", entry.letter.value, []))]

    resolve(broker.producer, topic, dead_letter_reader.unresolved(broker.cluster, topic), revive, outcome)
    assert (outcome.done, outcome.failed, outcome.away) == (1, 1, None)
    ((letter_id, error),) = outcome.failures
    assert letter_id == "m-2"
    assert isinstance(error, UnknownQueue)
    assert shown(broker) == [("m-2", 0)]


def test_a_kafka_that_goes_away_ends_it_early_and_nothing_is_lost(broker: KafkaBroker, write: Write) -> None:
    write(*(a_letter(number) for number in range(10)))
    outcome = Resolution()
    tried: list[str] = []

    def revive(entry: dead_letter_reader.Entry) -> list[tuple[str, Record]]:
        tried.append(entry.letter.id)
        raise KafkaUnreachable("gone")

    topic = broker.topics.dead_letters
    entries = (replace(entry) for entry in dead_letter_reader.unresolved(broker.cluster, topic))
    resolve(broker.producer, topic, entries, revive, outcome, rate_per_s=10_000 / 2500)
    assert len(tried) == 1
    assert outcome.away is not None
    assert len(shown(broker)) == 10


#: The partition that a client with another partitioner writes to, and the one where the letter is.
WRONG, TRUE = 1, 0


@pytest.fixture
def ids_in_true(broker: KafkaBroker, write: Write) -> list[int]:
    """Numbers whose letters belong in the first of the two partitions."""
    return [n for n in range(40) if partition_of({WRONG, TRUE}, f"m-{n}".encode()) == TRUE]


def end_in_wrong_partition(broker: KafkaBroker, key: bytes, stamp_ms: int | None = None) -> None:
    topic = broker.topics.dead_letters
    with foreign_producer(broker.cluster) as producer:
        producer.send(topic, None, key, partition=WRONG, timestamp_ms=stamp_ms).get(10)


def test_a_tombstone_in_a_wrong_partition_resolves_its_letter_and_no_later_one(
    broker: KafkaBroker, write: Write, ids_in_true: list[int]
) -> None:
    done, again, other, replayed = ids_in_true[:4]
    counts = Counts(broker.cluster, broker.topics.dead_letters)
    write(*(a_letter(number) for number in (done, again, other, replayed)), a_letter(replayed, replays=1))
    assert counts.count() == {"mail": 4}
    for number in (done, again):
        end_in_wrong_partition(broker, b"m-%d" % number)
    end_in_wrong_partition(broker, b"m-%d~1" % replayed)  # its own hash is of the whole key
    end_in_wrong_partition(broker, b"m-%d" % other, stamp_ms=1)  # older than the letter
    wait_for(
        lambda: time.time() * 1000 > read_topic(broker.cluster, broker.topics.dead_letters)[-1].timestamp
    )
    write(a_letter(again))
    expected = sorted([(f"m-{again}", 0), (f"m-{other}", 0)])
    assert shown(broker) == expected
    assert counts.count() == {"mail": 2}
    assert Counts(broker.cluster, broker.topics.dead_letters).count() == {"mail": 2}


def test_a_command_resolves_such_a_letter_where_compaction_finds_it(
    broker: KafkaBroker, write: Write, ids_in_true: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, kept = ids_in_true[:2]
    topic = broker.topics.dead_letters
    write(a_letter(one), a_letter(one, replays=1), a_letter(kept))
    end_in_wrong_partition(broker, b"m-%d~1" % one)
    search = Search(broker.producer, topic)
    assert [entry.letter.id for entry in search.matching(Filter())] == [f"m-{kept}"]
    # Without the tombstone in the wrong partition, which Kafka removes after a day, it stays resolved.
    monkeypatch.setattr(dead_letter_reader, "note_stray", lambda *_: None)
    assert shown(broker) == [(f"m-{kept}", 0)]
    written = [record for record in read_topic(broker.cluster, topic) if record.partition == TRUE]
    assert [record.key for record in written if record.value is None] == [b"m-%d" % one, b"m-%d~1" % one]


def test_who_may_not_write_sees_the_same_and_is_told(
    broker: KafkaBroker,
    write: Write,
    ids_in_true: list[int],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    write(*(a_letter(number) for number in ids_in_true[:2]))
    end_in_wrong_partition(broker, b"m-%d" % ids_in_true[0])

    def refuse(*_args: object, **_options: object) -> None:
        raise NotAuthorized("no right to write")

    monkeypatch.setattr(broker.producer, "send", refuse)
    found = list(Search(broker.producer, broker.topics.dead_letters).matching(Filter()))
    assert [entry.letter.id for entry in found] == [f"m-{ids_in_true[1]}"]
    assert "they come back" in caplog.text
    assert "no right to write" in caplog.text
