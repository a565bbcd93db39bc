"""Reads what is decided and who runs, again and again, for whoever asks about a fleet."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from ..fleet.cluster_clock import ClusterClock
from ..fleet.process import REPORT_S, Fleet, Process
from ..kafka import Cluster
from ..kafka.topic_reader import TopicReader
from ..records.consumed import ConsumedRecord
from ..topics import Topics
from .state import State

#: How long is listened for a process that reports: longer than from one report to the next.
_LISTEN_S = REPORT_S + 1


class Watch:
    """The control topic and the fleet topic, followed; a context manager, for one thread.

    On entry it has read both. Topics that do not exist are as empty ones.
    """

    def __init__(self, cluster: Cluster, topics: Topics) -> None:
        self._topics = topics
        self._reader = TopicReader(cluster, topics.control, topics.fleet)
        self._fleet = Fleet()
        self._clock = ClusterClock()
        self._has_read = False
        self.state = State()
        self._has_listened = False
        #: The offset behind the last record of the control topic.
        self.end = 0

    def __enter__(self) -> Self:
        try:
            self._reader.open()
            self.refresh()
            self._has_read = True
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
        """The worker processes that run; ``now_ms`` is the time by the cluster's clock, if that is known.

        If it is not, and all seem silent, they are listened to for a few seconds first, once: it may be the
        own clock that is wrong. Raises KafkaUnreachable.
        """
        return self._fleet.living(self._now(now_ms))

    def silent(self, now_ms: float | None = None) -> list[Process]:
        """The worker processes that have ended without a word in the last hour, or stand still.

        As for :meth:`processes`.
        """
        return self._fleet.silent(self._now(now_ms))

    def _now(self, now_ms: float | None) -> float:
        if now_ms is not None:
            return now_ms
        if not self._has_listened:
            self._has_listened = True
            self._listen()
        return self._clock.now_ms()

    def _listen(self) -> None:
        deadline = time.monotonic() + _LISTEN_S
        while self._all_seem_silent() and (left_s := deadline - time.monotonic()) > 0:
            self.follow(left_s)

    def _all_seem_silent(self) -> bool:
        now_ms = self._clock.now_ms()
        return bool(
            not self._clock.is_heard and self._fleet.silent(now_ms) and not self._fleet.living(now_ms)
        )

    def _take_in(self, record: ConsumedRecord) -> None:
        if record.topic == self._topics.fleet:
            self._fleet.take_in([record])
            self._clock.note(record.timestamp, is_new=self._has_read)
        else:
            self.state = self.state.after([record])
            self.end = record.offset + 1
