"""Tombstones follow the acks of their jobs, while the next jobs are on their way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from tests.helpers.interrupts import interrupted_wait
from tests.helpers.records import Consumed
from workers import Cluster
from workers.dead_letters import resolving
from workers.dead_letters.letter import DeadLetter, Origin, Reason
from workers.dead_letters.reader import Entry
from workers.dead_letters.resolving import Resolution, resolve
from workers.errors import LogUnreadable, WorkersError
from workers.kafka.producing.producer import DurableProducer
from workers.records.envelope import Record


class Producer:
    """Notes what is sent, and when its ack is awaited; ``refused`` ids are answered with an error."""

    def __init__(self, *refused: str) -> None:
        self.cluster = Cluster()
        self.told: list[str] = []
        self._refused = refused

    def send(self, topic: str, record: Record, *, partition: int | None = None) -> Any:
        name = f"{topic} {(record.key or b'').decode()}"
        self.told.append(f"send {name}")
        return Ack(self.told, name, is_refused=name in self._refused)


class Ack:
    def __init__(self, told: list[str], name: str, *, is_refused: bool) -> None:
        self._told, self._name, self._is_refused = told, name, is_refused

    def get(self, timeout: float | None = None) -> None:
        self._told.append(f"ack {self._name}")
        if self._is_refused:
            raise WorkersError("refused")


def entry(name: str, value: bytes = b"") -> Entry:
    letter = DeadLetter(Reason.FAILED, Origin("t", 0, 1, 1), value, 1, "g", message_id=name)
    return Entry(letter, Consumed("dead", 0, 1, 1, name.encode(), value, []))


def job(entry: Entry) -> list[tuple[str, Record]]:
    return [("jobs", Record(entry.record.key, b"job", []))]


def resolved(
    producer: Producer, *names: str, progress: Callable[[int], object] = lambda _: None, **options: Any
) -> Resolution:
    resolution = Resolution()
    found = cast(DurableProducer, producer)
    resolve(found, "dead", map(entry, names), job, resolution, progress=progress, **options)
    return resolution


@pytest.fixture
def batches_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "_BATCH", 1)


@pytest.mark.usefixtures("batches_of_one")
def test_the_next_jobs_are_on_their_way_before_the_tombstones_are_awaited() -> None:
    producer = Producer()
    assert resolved(producer, "first", "a", "b").done == 3
    assert producer.told[:4] == ["send jobs first", "ack jobs first", "send dead first", "ack dead first"]
    assert producer.told[4:] == [
        "send jobs a", "ack jobs a", "send dead a", "send jobs b", "ack dead a", "ack jobs b", "send dead b",
        "ack dead b",
    ]  # fmt: skip


@pytest.mark.usefixtures("batches_of_one")
def test_a_letter_whose_job_or_tombstone_is_refused_stays_and_stops_no_other() -> None:
    producer = Producer("jobs a", "dead b")
    resolution = resolved(producer, "a", "b", "c")
    assert (resolution.done, resolution.failed) == (1, 2)
    assert [one for one, _ in resolution.failures] == ["a", "b"]
    assert "send dead a" not in producer.told


@pytest.mark.usefixtures("batches_of_one")
def test_a_letter_whose_batch_kafka_cannot_read_on_its_disk_any_more_stops_no_other() -> None:
    def read_again(one: Entry) -> list[tuple[str, Record]]:
        if one.letter.id == "a":
            raise LogUnreadable
        return job(one)

    resolution = Resolution()
    resolve(cast(DurableProducer, Producer()), "dead", map(entry, "abc"), read_again, resolution)
    assert (resolution.done, resolution.failed, resolution.away) == (2, 1, None)


@pytest.mark.usefixtures("batches_of_one")
def test_one_that_is_stopped_counts_the_tombstones_that_were_on_their_way() -> None:
    producer, resolution = Producer(), Resolution()

    def stop(_done: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        resolve(cast(DurableProducer, producer), "dead", map(entry, "ab"), job, resolution, progress=stop)
    assert resolution.done == 1
    assert producer.told[-1] == "ack dead a"
    assert "send jobs b" not in producer.told


def test_one_that_is_interrupted_while_it_waits_counts_each_letter_once() -> None:
    class Interrupted(Producer):
        """A user presses Ctrl-C while the tombstone of `c` is awaited, after that of `b` was refused."""

        pressed = False

        def send(self, topic: str, record: Record, *, partition: int | None = None) -> Any:
            if (topic, record.key) != ("dead", b"c"):
                return super().send(topic, record, partition=partition)
            return self

        def get(self, timeout: float | None = None) -> None:
            if not self.pressed:
                self.pressed = True
                raise KeyboardInterrupt

    producer, resolution = Interrupted("dead b"), Resolution()
    with pytest.raises(KeyboardInterrupt):
        resolve(cast(DurableProducer, producer), "dead", map(entry, "abcd"), job, resolution)
    assert (resolution.done, resolution.failed) == (3, 1)
    assert [one for one, _ in resolution.failures] == ["b"]


def test_ctrl_c_within_a_wait_of_the_producer_is_no_failure_of_a_letter() -> None:
    class Interrupted(Producer):
        def send(self, topic: str, record: Record, *, partition: int | None = None) -> Any:
            if (topic, record.key) == ("jobs", b"b"):
                raise interrupted_wait()
            return super().send(topic, record, partition=partition)

    resolution = Resolution()
    with pytest.raises(KeyboardInterrupt):
        resolve(cast(DurableProducer, Interrupted()), "dead", map(entry, "abc"), job, resolution)
    assert (resolution.failed, resolution.failures) == (0, [])


def test_no_more_jobs_are_sent_once_kafka_has_refused_the_tombstones_of_a_batch() -> None:
    ids = [str(number) for number in range(2_000)]
    producer = Producer(*(f"dead {one}" for one in ids))
    resolution = resolved(producer, *ids)
    sent = [one for one in producer.told if one.startswith("send jobs")]
    assert len(sent) == resolution.failed == 10  # of the first batch
    assert resolution.done == 0
    assert str(resolution.away) == "refused"
    assert not resolution.can_go_on


def test_with_a_rate_nothing_is_on_its_way_during_a_wait() -> None:
    producer = Producer()
    before: list[str] = []
    resolved(producer, "a", "b", rate_per_s=1, wait=lambda _: before.append(" ".join(producer.told[-1:])))
    assert before == ["", "ack dead a"]


def test_long_jobs_are_few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "_BATCH_BYTES", 10)
    sizes: list[int] = []
    entries = [entry(str(number), b"12345") for number in range(5)]
    found = cast(DurableProducer, Producer())
    resolve(found, "dead", entries, job, Resolution(), progress=sizes.append)
    assert sizes == [2, 2, 1]
