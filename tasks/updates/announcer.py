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

from workers.broker.sending import Sending
from workers.records.envelope import Record

from .records import MAX_IN_RECORD, Update, record_of, turn_of

logger = logging.getLogger(__name__)

#: How long updates are gathered before they are written, and how many times as long if these are many: a
#: record costs the same whether it has two updates or ten, and there is one for each partition.
GATHER_S = 0.03
_LONGER_FOR_MANY = 3
_MANY = 16
#: Failures are logged at most this often, with their count since the start.
_LOG_EVERY_S = 10.0


class UpdateLog(Protocol):
    """The topic of updates."""

    def partitions(self) -> int:
        """Return how many partitions it has. Raises WorkersError."""

    def write(self, record: Record, partition: int) -> Any:
        """Hand a record over; returns kafka-python's future. Raises WorkersError."""


class UpdateTopic:
    """The topic of updates, written by a broker's own producer."""

    def __init__(self, sending: Sending, topic: str) -> None:
        self._sending = sending
        self._topic = topic

    def partitions(self) -> int:
        return self._sending.partitions(self._topic)

    def write(self, record: Record, partition: int) -> Any:
        return self._sending.hand_over(self._topic, record, partition)


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
        self._changed = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None
        #: Tells the present thread, and no later one, to end.
        self._closing = threading.Event()
        #: How many updates were lost since the start.
        self.lost = 0
        self._log_at = 0.0

    def __call__(self, update: Update) -> None:
        """Announce an update; never raises and never waits."""
        try:
            with self._lock:
                if self._thread is None or not self._thread.is_alive():
                    self._start()
                self._waiting.append(update)
                if len(self._waiting) == 1:
                    self._changed.notify_all()
        except RuntimeError as exc:  # no more threads
            self._note_lost(1, exc)

    def close(self) -> None:
        """Write what waits; an update after that starts the thread again. Kafka's answers are not awaited."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._closing.set()
            self._changed.notify_all()
        if thread is not None:
            thread.join()

    def _start(self) -> None:
        closing = threading.Event()
        thread = threading.Thread(target=self._run, args=(closing,), name="updates", daemon=True)
        thread.start()
        self._thread, self._closing = thread, closing

    def _run(self, closing: threading.Event) -> None:
        is_last = False
        while not is_last:
            with self._lock:
                self._changed.wait_for(lambda: self._waiting or closing.is_set())
            closing.wait(self._gather_s)
            if len(self._waiting) >= _MANY:
                closing.wait((_LONGER_FOR_MANY - 1) * self._gather_s)
            with self._lock:
                # Together: what comes after the closing is for the next thread.
                is_last = closing.is_set()
                updates, self._waiting = self._waiting, []
            try:
                self._write(updates)
            except Exception:
                logger.exception("update.lost count=%d at most", len(updates))

    def _write(self, updates: Sequence[Update]) -> None:
        if not updates:
            return
        try:
            count = self._log.partitions()
        except Exception as exc:  # noqa: BLE001 - kafka-python raises more than its own errors
            self._note_lost(len(updates), exc)
            return
        for partition, portion in _in_portions(updates, count):
            try:
                future = self._log.write(record_of(portion), partition)
            except Exception as exc:  # noqa: BLE001 - such as a ValueError for an unknown partition
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
