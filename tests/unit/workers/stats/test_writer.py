"""What becomes of a part of the history whose sending fails."""

from __future__ import annotations

import time
from typing import Any, cast

from workers.errors import KafkaUnreachable
from workers.kafka.producing.producer import DurableProducer
from workers.records.envelope import Record
from workers.stats.figures import NOTHING
from workers.stats.record import MINUTE_S, Part, decode
from workers.stats.writer import StatsWriter


class Sent:
    """What a sending comes to: not known, confirmed or failed."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.is_confirmed: bool | None = None

    def succeeded(self) -> bool:
        return self.is_confirmed is True

    def failed(self) -> bool:
        return self.is_confirmed is False


class Producer:
    """A producer whose Kafka may be away."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.is_away = False

    def send(self, topic: str, record: Record, **_: Any) -> Sent:
        if self.is_away:
            raise KafkaUnreachable(f"no room for {topic}")
        self.sent.append(Sent(decode(record.key, record.value)))
        return self.sent[-1]


def test_the_last_part_of_a_minute_is_sent_until_kafka_has_it() -> None:
    producer = Producer()
    writer = StatsWriter(cast(DurableProducer, producer), "todo.stats", "p")
    minute = int(time.time() // MINUTE_S) * MINUTE_S
    part = Part("p", minute - MINUTE_S, MINUTE_S, {("letters", "write"): NOTHING})
    producer.is_away = True
    writer._send([part])
    producer.is_away = False
    writer._send([])
    writer._send([])  # that one is under way
    assert [sent.part for sent in producer.sent] == [part]
    producer.sent[0].is_confirmed = False
    writer._send([])
    assert [sent.part for sent in producer.sent] == [part, part]
    producer.sent[1].is_confirmed = True
    writer._send([])
    assert len(producer.sent) == 2


def test_a_part_that_goes_on_is_sent_as_it_is_now_and_an_old_one_no_more() -> None:
    producer = Producer()
    writer = StatsWriter(cast(DurableProducer, producer), "todo.stats", "p")
    minute = int(time.time() // MINUTE_S) * MINUTE_S
    first = Part("p", minute, MINUTE_S, {("letters", "write"): NOTHING})
    later = first._replace(counts={("letters", "read"): NOTHING})
    producer.is_away = True
    writer._send([first, first._replace(start_s=minute - 7_200 - MINUTE_S)])
    producer.is_away = False
    writer._send([later])
    assert [sent.part for sent in producer.sent] == [later]
