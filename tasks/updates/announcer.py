"""Announces what a worker did, without waiting.

Updates are gathered for a moment, as a record for each would cost as much as the work they tell of, and then
handed to the producer. An update is not part of its job: the job neither waits for Kafka nor fails with it.
So an update can be lost: if the worker dies within that moment and the job is acked already, or if Kafka does
not take it, which is counted and logged. A job that runs again announces again, with the same ids. What was
done stands in the database in any case.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Protocol

from workers.errors import WorkersError
from workers.records.envelope import Record

from .records import MAX_IN_RECORD, Update, record_of, turn_of

logger = logging.getLogger(__name__)

#: How long updates are gathered before they are written.
GATHER_S = 0.03
#: Failures are logged at most this often, with their count since the start.
_LOG_EVERY_S = 10.0


class UpdateLog(Protocol):
    """The topic of updates."""

    def partitions(self) -> int:
        """Return how many partitions it has. Raises WorkersError."""

    def write(self, record: Record, partition: int) -> Any:
        """Hand a record over; returns kafka-python's future. Raises WorkersError."""


class Announcer:
    """Writes updates from a thread of its own, which starts with the first; safe for any thread."""

    def __init__(
        self,
        log: UpdateLog,
        *,
        gather_s: float = GATHER_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._gather_s = gather_s
        self._clock = clock
        self._waiting: list[Update] = []
        self._lock = threading.Lock()
        self._there = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        #: How many updates were lost since the start.
        self.lost = 0
        self._log_at = 0.0

    def __call__(self, update: Update) -> None:
        """Announce an update; never raises and never waits."""
        with self._lock:
            self._waiting.append(update)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="updates", daemon=True)
                self._thread.start()
        if not self._there.is_set():
            self._there.set()

    def close(self) -> None:
        """Write what waits; an update after that starts the thread again. Kafka's answers are not awaited."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._closing.set()
            self._there.set()
            thread.join()
            self._closing.clear()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._there.wait()
            self._closing.wait(self._gather_s)
            self._there.clear()
            with self._lock:
                updates, self._waiting = self._waiting, []
            if updates:
                self._write(updates)

    def _write(self, updates: Sequence[Update]) -> None:
        try:
            count = self._log.partitions()
        except WorkersError as exc:
            self._note_lost(len(updates), exc)
            return
        for partition, portion in _in_portions(updates, count):
            try:
                future = self._log.write(record_of(portion), partition)
            except WorkersError as exc:
                self._note_lost(len(portion), exc)
            else:
                future.add_errback(partial(self._note_lost, len(portion)))

    def _note_lost(self, count: int, error: BaseException) -> None:
        with self._lock:
            self.lost += count
        now = self._clock()
        if now >= self._log_at:
            self._log_at = now + _LOG_EVERY_S
            logger.warning("update.lost count=%d since start: %s", self.lost, error)


def _in_portions(updates: Sequence[Update], partitions: int) -> Iterator[tuple[int, list[Update]]]:
    """The updates by partition, in portions for one record each."""
    by_partition: dict[int, list[Update]] = {}
    for update in updates:
        by_partition.setdefault(turn_of(update) % partitions, []).append(update)
    for partition, own in by_partition.items():
        for start in range(0, len(own), MAX_IN_RECORD):
            yield partition, own[start : start + MAX_IN_RECORD]


def announce_nothing(update: Update) -> None:
    """Stand in for an announcer if WEB_UPDATES is off."""
