"""A queue that reads a log of numbers, as other services write it."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import dramatiq

from tests.helpers.other_services import foreign_producer
from workers import KafkaBroker
from workers.dead_letters import reader as dead_letter_reader
from workers.dead_letters.reader import Entry
from workers.dead_letters.resolving import Resolution, resolve
from workers.operations.dead_letters import replaying
from workers.operations.queue_status import QueueStatus, StatusReader
from workers.records.sources import Incoming


def number_of(record: Incoming) -> dramatiq.Message[Any]:
    """A log of numbers, with any amount of blanks in front."""
    number = int(record.value or b"")
    return dramatiq.Message("", "work", (number,), {}, {}, f"n{number}", record.timestamp_ms)


def noise(seed: int, count: int) -> bytes:
    """Blanks that ``int`` passes over, and of which no codec saves more than two thirds."""
    blanks = b" \t\n\r\v\f"
    return random.Random(seed).randbytes(count).translate(bytes(blanks[n % len(blanks)] for n in range(256)))


class Numbers:
    """A queue that reads a log of numbers of one partition."""

    def __init__(self, broker: KafkaBroker) -> None:
        self.broker = broker
        self.log = broker.topics.named("numbers")
        self.ran: Counter[int] = Counter()
        broker.add_source("default", self.log, number_of)

        @dramatiq.actor(broker=broker, actor_name="work", max_retries=0)
        def work(number: int) -> None:
            self.ran[number] += 1

        broker.prepare()

    def write(self, *numbers: int, codec: str | None = None, blanks: int = 0, is_noise: bool = False) -> None:
        """One batch, as another service writes it; ``is_noise`` if its blanks hardly compress."""
        size = 16_000_000
        options = {
            "compression_type": codec,
            "linger_ms": 1_000,
            "batch_size": size,
            "max_request_size": size,
        }
        with foreign_producer(self.broker.cluster, **options) as producer:
            futures = [
                producer.send(
                    self.log, (noise(n, blanks) if is_noise else b" " * blanks) + b"%d" % n, partition=0
                )
                for n in numbers
            ]
            producer.flush(60)
            for future in futures:
                future.get(60)

    def letters(self) -> list[Entry]:
        return list(dead_letter_reader.unresolved(self.broker.cluster, self.broker.topics.dead_letters))

    def replay(self, entries: list[Entry]) -> Resolution:
        result = Resolution()
        topic = self.broker.topics.dead_letters
        resolve(self.broker.producer, topic, entries, replaying(self.broker).revive, result)
        return result

    def status(self) -> QueueStatus:
        broker = self.broker
        with StatusReader(broker.cluster, broker.topics, broker.delay_tiers, broker.topics_of) as reader:
            [status] = reader.read(["default"])
        return status

    def waiting(self) -> int:
        status = self.status()
        return status.waiting + status.running
