"""Stands in for what the dashboard reads: the status of queues, and the topic of dead letters."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self
from uuid import UUID

import pytest

from tests.helpers.records import Consumed
from workers import KafkaBroker
from workers.controls.controls import Change, Controls
from workers.controls.state import State
from workers.dead_letters import reader
from workers.dead_letters.index import following, lookup
from workers.dead_letters.letter import DeadLetter, Origin, Reason
from workers.dead_letters.topic.letter_record import encode
from workers.errors import WorkersError
from workers.fleet.process import Process
from workers.kafka import TopicPartition
from workers.kafka.producing.producer import DurableProducer
from workers.operations import action_log
from workers.operations.oldest_job import OldestJob
from workers.operations.queue_status import DelayedStatus, PartitionStatus, QueueStatus
from workers.records.envelope import Record
from workers.stats import reader as stats_reader

TOPIC = "shop.dead-letters"
NOW_MS = 1_700_000_000_000
OLDEST = OldestJob("shop.jobs.mail", 1, 40, "job-1", "send_mail", 90.0, in_hand=True)
_JOB = (
    b'{"queue_name":"mail","actor_name":"send_mail","args":["a@b.c",{"id":7}],"kwargs":{},"options":{},'
    b'"message_id":"%b","message_timestamp":1700000000000}'
)


class Done:
    """The future of a record that Kafka has."""

    def get(self, timeout: float | None = None) -> None: ...


class FakeKafka:
    """``queues`` and ``log`` are what is read; with ``away``, reading fails with that text.

    ``opened`` counts the connections, ``reads`` the requests for the status.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.away: str | None = None
        self.queues: list[tuple[QueueStatus, list[PartitionStatus]]] = [
            (
                QueueStatus("mail", 2, 7, 1, 1, 0, OLDEST),
                [PartitionStatus("shop.jobs.mail", 0, 3, 1, "client-1 at 10.0.0.5")],
            )
        ]
        self.delayed = DelayedStatus(3, 1)
        self.log: list[Consumed] = []
        self.actions: list[Consumed] = []
        #: What was produced elsewhere: the jobs that were replayed, as topics and records.
        self.sent: list[tuple[str, Record]] = []
        self.fleet: list[Process] = []
        self.silent: list[Process] = []
        self.state = State()
        self.opened = self.reads = 0
        fake = self

        class Status:
            def __init__(self, *_: Any) -> None: ...
            def __enter__(self) -> Self:
                fake.open()
                return self

            def __exit__(self, *_: object) -> None: ...
            def read_with_partitions(self, _names: object) -> Any:
                fake.reads += 1
                fake.check()
                return fake.queues

            def read_delayed(self) -> DelayedStatus:
                return fake.delayed

        monkeypatch.setattr("web.dashboard.reading.snapshots.StatusReader", Status)
        for module in (following, lookup, reader):
            monkeypatch.setattr(module, "TopicReader", lambda *_: FakeReader(fake, self.log))
        monkeypatch.setattr(stats_reader, "TopicReader", lambda *_: FakeReader(fake, []))
        monkeypatch.setattr(action_log, "TopicReader", lambda *_: FakeReader(fake, self.actions))
        monkeypatch.setattr(Controls, "watch", lambda _: FakeWatch(fake))
        monkeypatch.setattr(Controls, "state", lambda _: FakeWatch(fake).__enter__().state)
        monkeypatch.setattr(Controls, "_write", lambda _, record: self._decide(record))
        monkeypatch.setattr(DurableProducer, "deliver", lambda _, *place: self._deliver(*place))
        monkeypatch.setattr(DurableProducer, "send", lambda _, *place, **__: self._send(*place))
        monkeypatch.setattr(KafkaBroker, "prepare", lambda _: self._prepare())

    def job(self, letter_id: str) -> bytes:
        """The bytes of a job of send_mail."""
        return _JOB % letter_id.encode(errors="replace")

    def open(self) -> None:
        self.opened += 1
        self.check()

    def check(self) -> None:
        if self.away:
            raise WorkersError(self.away)

    def _prepare(self) -> list[str]:
        self.check()
        return []

    def _decide(self, record: Record) -> Change:
        self.check()
        consumed = Consumed("control", 0, 0, NOW_MS, record.key, record.value, record.headers)
        self.state = self.state.after([consumed])
        return Change((record.key or b"").decode(), 0, NOW_MS)

    def _deliver(self, topic: str, record: Record) -> None:
        self.check()
        assert topic == "shop.actions"
        place = (topic, 0, len(self.actions), int(time.time() * 1000))
        self.actions.append(Consumed(*place, record.key, record.value, record.headers))

    def _send(self, topic: str, record: Record) -> Done:
        self.check()
        if topic == TOPIC and record.key is not None and record.value is None:
            self.end(record.key)
        else:
            self.sent.append((topic, record))
        return Done()

    def add(self, letter_id: str = "one", **fields: Any) -> DeadLetter:
        """Add a dead letter to its topic."""
        known: dict[str, Any] = {
            "reason": Reason.FAILED,
            "origin": Origin("shop.jobs.mail", 0, 5, NOW_MS),
            "value": self.job(letter_id),
            "time_ms": NOW_MS,
            "group": "shop.workers.mail",
            "message_id": letter_id,
            "actor": "send_mail",
            "queue": "mail",
            "exception_type": "builtins.ValueError",
            "exception_message": "no row 7",
            "traceback": "Traceback: line 1",
        }
        letter = DeadLetter(**known | fields)
        record = encode(letter)
        place = (TOPIC, 0, len(self.log), NOW_MS)
        self.log.append(Consumed(*place, record.key, record.value, record.headers))
        return letter

    def end(self, key: bytes) -> None:
        """Add a tombstone."""
        self.log.append(Consumed(TOPIC, 0, len(self.log), NOW_MS, key, None))


class FakeWatch:
    """What is decided and who runs."""

    end = 1

    def __init__(self, fake: FakeKafka) -> None:
        self._fake = fake

    def __enter__(self) -> Self:
        self._fake.open()
        return self

    def __exit__(self, *_: object) -> None: ...
    @property
    def state(self) -> State:
        return self._fake.state

    def processes(self, _now_ms: float | None = None) -> list[Process]:
        return self._fake.fleet

    def silent(self, _now_ms: float | None = None) -> list[Process]:
        return self._fake.silent

    def follow(self, _timeout_s: float) -> bool:
        self._fake.check()
        time.sleep(0.01)  # as one that waits for records
        return False


class FakeReader:
    """Reads a list of records as a `TopicReader` of one partition."""

    def __init__(self, fake: FakeKafka, log: list[Consumed]) -> None:
        self._fake = fake
        self._log = log
        self._at = 0

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        self._fake.open()

    def close(self) -> None: ...
    def sizes(self) -> Mapping[TopicPartition, tuple[int, int]]:
        return {TopicPartition(TOPIC, 0): (0, len(self._log))}

    def topic_id(self, _topic: str) -> UUID | None:
        return None

    def go_to(self, positions: Mapping[TopicPartition, int]) -> None:
        self._at = next(iter(positions.values()))

    def positions(self) -> Mapping[TopicPartition, int]:
        return {TopicPartition(TOPIC, 0): self._at}

    def read(self, timeout_ms: int) -> list[Consumed]:
        self._fake.check()
        found = self._log[self._at :]
        self._at += len(found)
        if not found:
            time.sleep(0.005)  # as one that waits for records
        return found

    def read_to_end(self) -> Iterator[Consumed]:
        yield from self.read(0)

    def read_partition(self, _partition: TopicPartition, _end: int) -> Iterator[list[Consumed]]:
        yield list(self._log)

    def read_at(self, _partition: TopicPartition, offsets: Sequence[int]) -> Iterator[Consumed]:
        for offset in offsets:
            self._fake.check()
            if offset < len(self._log):
                yield self._log[offset]
