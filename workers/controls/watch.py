"""Reads what is decided and who runs, again and again, for whoever asks about a fleet."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from ..fleet.process import Fleet, Process
from ..kafka import Cluster
from ..kafka.topic_reader import TopicReader
from ..records.consumed import ConsumedRecord
from ..topics import Topics
from .state import State


class Watch:
    """The control topic and the fleet topic, followed; a context manager, for one thread.

    On entry it has read both. Topics that do not exist are as empty ones.
    """

    def __init__(self, cluster: Cluster, topics: Topics) -> None:
        self._topics = topics
        self._reader = TopicReader(cluster, topics.control, topics.fleet)
        self._fleet = Fleet()
        self.state = State()
        #: The offset behind the last record of the control topic.
        self.end = 0

    def __enter__(self) -> Self:
        try:
            self._reader.open()
            self.refresh()
        except BaseException:
            self._reader.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._reader.close()

    def refresh(self) -> None:
        """Take in everything that is written by now. Raises KafkaUnreachable or NotAuthorized."""
        for record in self._reader.read_to_end():
            self._take_in(record)

    def follow(self, timeout_s: float) -> bool:
        """Take in what comes next; False if nothing came in that time. Raises KafkaUnreachable."""
        records = self._reader.read(timeout_ms=int(timeout_s * 1000))
        for record in records:
            self._take_in(record)
        return bool(records)

    def processes(self, now_ms: float | None = None) -> list[Process]:
        """The worker processes that run; ``now_ms`` is the time by the cluster's clock, if that is known."""
        return self._fleet.living(_now(now_ms))

    def silent(self, now_ms: float | None = None) -> list[Process]:
        """The worker processes that have ended without a word in the last hour, or stand still."""
        return self._fleet.silent(_now(now_ms))

    def _take_in(self, record: ConsumedRecord) -> None:
        if record.topic == self._topics.fleet:
            self._fleet.take_in([record])
        else:
            self.state = self.state.after([record])
            self.end = record.offset + 1


def _now(now_ms: float | None) -> float:
    return time.time() * 1000 if now_ms is None else now_ms
