"""Damage in the topics that no queue reads: delayed jobs, dead letters and the pool's own logs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import dramatiq
import kafka.codec
import pytest
from typer.testing import CliRunner

from tests.helpers.other_services import foreign_producer
from workers import Cluster, KafkaBroker
from workers.cli import delayed, status
from workers.cli.dead_letters import commands
from workers.dead_letters.filter import Filter
from workers.dead_letters.index.following import IndexedLetters
from workers.dead_letters.letter import DeadLetter, Origin, Reason
from workers.dead_letters.topic.letter_record import encode
from workers.kafka.patches.fetching.damaged_logs import DamagedLogFetcher
from workers.operations.doctor import examine
from workers.records.envelope import Record

APP = "damaged:broker"
DELAY_MS = 300_000


@pytest.fixture
def broker(cluster: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[KafkaBroker]:
    """A broker without workers, that ``--app`` names."""
    broker = KafkaBroker(cluster, namespace=namespace, partitions=1)
    broker.declare_queue("default")
    broker.prepare()
    module = ModuleType("damaged")
    module.broker = broker  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "damaged", module)
    yield broker
    broker.close()


def job(number: int) -> dramatiq.Message[None]:
    return dramatiq.Message("default", "work", (number,), {}, {}, f"m{number}")


def letter(number: int) -> Record:
    value, origin = job(number).encode(), Origin("jobs", 0, number, 1)
    return encode(
        DeadLetter(
            Reason.FAILED,
            origin,
            value,
            1_000,
            "g",
            message_id=f"m{number}",
            actor="work",
            queue="default",
        )
    )


def delay_topic(broker: KafkaBroker) -> str:
    return broker.topics.delay("4m")


def write_packed(broker: KafkaBroker, topic: str, record: Record) -> None:
    """With a codec that not every client has."""
    with foreign_producer(
        broker.cluster, compression_type="zstd", allow_auto_create_topics=False
    ) as producer:
        headers = [*record.headers, ("blanks", b" " * 1_000)]
        producer.send(topic, record.value, record.key, headers).get(timeout=30)


def shown_status(capsys: pytest.CaptureFixture[str]) -> tuple[str, dict[str, Any]]:
    """What `status` prints, for people and for programs."""
    capsys.readouterr()
    status.show(APP, watch=False, as_json=False)
    text = " ".join(capsys.readouterr().out.split())
    status.show(APP, watch=False, as_json=True)
    return text, json.loads(capsys.readouterr().out)


def told_by_doctor() -> list[str]:
    return [finding.text for finding in examine(APP) if finding.check == "logs"]


def test_a_batch_without_its_codec_hides_nothing_else_of_delayed_jobs_and_dead_letters(
    broker: KafkaBroker, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    unread = Record(b"m0", job(0).encode(), [("queue", b"default"), ("eta", b"1900000000000")])
    write_packed(broker, delay_topic(broker), unread)
    write_packed(broker, broker.topics.dead_letters, letter(0))
    for number in (1, 2):
        broker.enqueue(job(number), delay=DELAY_MS)
        broker.producer.deliver(broker.topics.dead_letters, letter(number))
    monkeypatch.setattr(kafka.codec, "zstd", None)

    listed = CliRunner().invoke(commands.app, ["list", "--app", APP, "--json"])
    assert listed.exit_code == 0, listed.output
    assert {json.loads(line)["id"] for line in listed.stdout.splitlines()} == {"m1", "m2"}
    with IndexedLetters(broker.cluster, broker.topics.dead_letters) as letters:
        while not letters.built.is_complete:
            letters.step(200)
        assert letters.index.count(Filter()) == 2
    letters.close()
    capsys.readouterr()
    delayed.show(APP, queue=None, actor=None, limit=10, as_json=True)
    waiting = capsys.readouterr().out.splitlines()
    assert {json.loads(line)["message_id"] for line in waiting} == {"m1", "m2"}
    text, values = shown_status(capsys)
    assert "delayed: 3 in all queues" in text
    assert "cannot read" not in text
    assert values["dead_letters"] == {"default": 2}
    assert values["delayed"]["unreadable"] == []
    assert told_by_doctor() == []


@pytest.fixture
def damage(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Lets Kafka be unable to read the first record of a topic, as if it were damaged on its disk."""
    damaged: set[str] = set()
    parse = DamagedLogFetcher._parse_fetched_data

    def parsed(self: DamagedLogFetcher, completed: Any) -> Any:
        if completed.topic_partition.topic in damaged and completed.fetched_offset == 0:
            self._note(completed.topic_partition, 0, "CorruptRecordError")
            return None
        return parse(self, completed)

    monkeypatch.setattr(DamagedLogFetcher, "_parse_fetched_data", parsed)
    return damaged.add


def test_a_delay_topic_that_kafka_cannot_read_is_told(
    broker: KafkaBroker, capsys: pytest.CaptureFixture[str], damage: Callable[[str], None]
) -> None:
    for number in range(3):
        broker.enqueue(job(number), delay=DELAY_MS)
    topic = delay_topic(broker)
    damage(topic)
    place = f"Kafka cannot read {topic}/0 at offset 0 (CorruptRecordError)"
    text, values = shown_status(capsys)
    assert f"delayed: {place}" in text
    (found,) = values["delayed"]["unreadable"]
    assert (found["topic"], found["partition"], found["offset"], found["readable_from"]) == (topic, 0, 0, 1)
    (told,) = told_by_doctor()
    assert told.startswith(place)
    assert "before offset 1 up: kafka-delete-records" in told


def test_dead_letters_that_kafka_cannot_read_are_told_and_the_rest_is_shown(
    broker: KafkaBroker, capsys: pytest.CaptureFixture[str], damage: Callable[[str], None]
) -> None:
    topic = broker.topics.dead_letters
    broker.producer.deliver(topic, letter(1))
    broker.enqueue(job(1))
    damage(topic)
    place = f"cannot read {topic}/0 at offset 0 (CorruptRecordError); look at the disk of its leader"
    text, values = shown_status(capsys)
    assert f"dead letters: Kafka at {broker.cluster.address} {place}" in text
    assert "default 1 0 1 0 ?" in text
    assert (values["dead_letters"], values["queues"][0]["dead_letters"]) == (None, None)
    assert values["queues"][0]["waiting"] == 1
    (told,) = told_by_doctor()
    assert place in told


@pytest.mark.parametrize("name", ["control", "fleet"])
def test_a_log_of_the_pool_that_kafka_cannot_read_is_told_by_doctor(
    broker: KafkaBroker, damage: Callable[[str], None], name: str
) -> None:
    topic = getattr(broker.topics, name)
    broker.producer.deliver(topic, Record(b"k", b"{}", []))
    assert told_by_doctor() == []
    damage(topic)
    (told,) = told_by_doctor()
    assert f"cannot read {topic}/0 at offset 0" in told
