"""Empties queues: drops the jobs that wait in them, or waits until all of them are done."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

from dramatiq.errors import QueueJoinTimeout

from ..dead_letters import reader as dead_letter_reader
from ..dead_letters.resolving import Resolution, resolve
from ..delays import waiting_jobs
from ..delays.tiers import Tier
from ..kafka import delete_all_records
from ..kafka.producing.producer import DurableProducer
from ..partitions.lag import LagReader
from ..topics import Topics

#: Pause between two looks at how far a queue's group has come.
_JOIN_INTERVAL_S = 0.05


class Emptying:
    """Drops, or waits for, the messages of a namespace's queues. For one thread at a time."""

    def __init__(self, producer: DurableProducer, topics: Topics, tiers: Sequence[Tier]) -> None:
        self._producer = producer
        self._cluster = producer.cluster
        self._topics = topics
        self._tiers = tiers

    def drop(self, queues: Collection[str]) -> None:
        """Drop the messages that wait in some queues, their delayed jobs and their dead letters.

        Raises KafkaUnreachable or NotAuthorized.
        """
        waiting_jobs.delete(self._cluster, self._topics, self._tiers, queues, self._producer)
        delete_all_records(self._cluster, [self._topics.jobs(queue) for queue in queues])
        topic = self._topics.dead_letters
        letters = dead_letter_reader.unresolved(self._cluster, topic)
        wanted = (entry for entry in letters if entry.letter.queue in queues)
        outcome = Resolution()
        resolve(self._producer, topic, wanted, lambda _: (), outcome)
        if outcome.failures:
            raise outcome.failures[0][1]

    def wait(self, queue: str, topics: Sequence[str], timeout_ms: int | None) -> None:
        """Wait until all messages of a queue are done, those in ``topics`` and those that are delayed.

        Raises QueueJoinTimeout, or KafkaUnreachable.
        """
        deadline = None if timeout_ms is None else time.monotonic() + timeout_ms / 1000
        with (
            LagReader(self._cluster, topics, self._topics.group(queue)) as jobs,
            waiting_jobs.Waiting(self._cluster, self._topics, self._tiers, queue) as delayed,
        ):
            # A job that is retried leaves its queue for a delay topic and comes back: a job not seen in
            # one place must not have come from the other meanwhile.
            while left := delayed.count() + jobs.not_done() + delayed.grown():
                if deadline is not None and time.monotonic() >= deadline:
                    text = f"queue {queue}: {left} messages not done after {timeout_ms} ms"
                    raise QueueJoinTimeout(text)  # type: ignore[no-untyped-call]
                time.sleep(_JOIN_INTERVAL_S)
