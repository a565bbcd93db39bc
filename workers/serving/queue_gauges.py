"""Figures that concern all workers: what waits in each queue, what is delayed, what was given up."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from ..broker.kafka_broker import KafkaBroker
from ..dead_letters.reader import Counts
from ..errors import LogUnreadable, NotAuthorized, WorkersError
from ..measures.families import Family
from ..operations.queue_status import DelayedStatus, QueueStatus, StatusReader
from ..operations.scaling import paused_queues, startable

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Figures younger than this are not read anew.
_FRESH_S = 10.0
#: Figures older than this are not shown: no figure is better than a wrong one.
_SHOWN_FOR_S = 120.0
#: The pause before dead letters are counted again, as a multiple of the time that the last count took.
_COUNT_SHARE = 50


_GAUGES: Mapping[str, tuple[str, Callable[[QueueStatus], float]]] = {
    "not_done": ("Jobs that are not done.", lambda queue: queue.waiting + queue.running),
    "in_hand": ("Jobs that workers have in hand.", lambda queue: queue.running),
    "oldest_seconds": (
        "Age of the oldest job that is not done.",
        lambda queue: (queue.oldest and queue.oldest.age_s) or 0.0,
    ),
    "consumers": ("Processes that run the queue.", lambda queue: queue.consumers),
    "untrimmed_records": ("Done jobs that are still in the log.", lambda queue: queue.untrimmed),
}


class QueueGauges:
    """The gauges of a broker's queues. Safe for any thread.

    All figures are the same for whichever process reads them, so queries take the maximum of the processes.
    What this user may not read is left out, as the dead letters with the rights of a worker.
    """

    def __init__(self, broker: KafkaBroker, clock: Callable[[], float] = time.monotonic) -> None:
        """Does no I/O."""
        self._broker = broker
        self._clock = clock
        self._lock = threading.Lock()
        self._is_reading = self._is_closed = False
        self._read_at: float | None = None
        self._families: Sequence[Family] = ()
        self._reader: StatusReader | None = None
        self._counts = Counts(broker.cluster, broker.topics.dead_letters)
        self._dead_letters: Counter[str] | None = None
        self._refused: set[str] = set()
        self._count_at = 0.0

    def families(self) -> Sequence[Family]:
        """What was read last, at once; has it read anew in the background if it is not fresh."""
        now = self._clock()
        with self._lock:
            age_s = None if self._read_at is None else now - self._read_at
            if not self._is_reading and not self._is_closed and (age_s is None or age_s >= _FRESH_S):
                threading.Thread(target=self._refresh, name="queue-gauges", daemon=True).start()
                self._is_reading = True  # not if the process has no room for a thread
            return () if age_s is None or age_s >= _SHOWN_FOR_S else self._families

    def close(self) -> None:
        """Read nothing any more, and disconnect; a reading that is under way disconnects at its end."""
        with self._lock:
            self._is_closed = True
            if not self._is_reading:
                self._disconnect()

    def _refresh(self) -> None:
        families: Sequence[Family] | None = None
        try:
            families = self._read()
        except WorkersError as exc:
            logger.warning("figures of the queues not read, trying again at the next scrape: %s", exc)
        except Exception:
            logger.exception("figures of the queues not read, trying again at the next scrape")
        with self._lock:
            self._is_reading = False
            if families is not None:
                self._families, self._read_at = families, self._clock()
            if families is None or self._is_closed:
                self._disconnect()

    def _read(self) -> list[Family]:
        if self._reader is None:
            broker = self._broker
            self._reader = StatusReader(broker.cluster, broker.topics, broker.delay_tiers, broker.topics_of)
            self._reader.__enter__()
        reader, names = self._reader, sorted(self._broker.queues)
        queues = self._unless_refused("queues", lambda: reader.read(names))
        delayed = self._unless_refused("delayed jobs", reader.read_delayed)
        started = self._clock()
        if started >= self._count_at:
            self._dead_letters = self._unless_refused("dead letters", self._counts.count)
            self._count_at = self._clock() + _COUNT_SHARE * (self._clock() - started)
        return gauges(queues or (), delayed, self._dead_letters, paused_queues(self._broker))

    def _unless_refused(self, what: str, read: Callable[[], T]) -> T | None:
        """What is read; None, and once a warning, if this user may not, or Kafka cannot read it itself."""
        try:
            return read()
        except (NotAuthorized, LogUnreadable) as exc:
            if what not in self._refused:
                self._refused.add(what)
                logger.warning("no figures of the %s here, the others are shown: %s", what, exc)
            return None

    def _disconnect(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            with suppress(Exception):  # it may not have connected, and nothing is lost with it
                reader.__exit__(None, None, None)


def gauges(
    queues: Sequence[QueueStatus],
    delayed: DelayedStatus | None,
    dead_letters: Mapping[str, int] | None,
    paused: Collection[str] | None,
) -> list[Family]:
    """The families of these figures, without those that are None. Pure."""
    found = [
        _gauge(f"workers_queue_{name}", text, ("queue",), {(one.queue,): value(one) for one in queues})
        for name, (text, value) in _GAUGES.items()
    ]
    if paused is not None:
        found += _of_paused(queues, paused)
    if delayed is not None:
        text = "Jobs that wait for their time."
        found.append(_gauge("workers_delayed_jobs", text, (), {(): float(delayed.jobs)}))
    if dead_letters is not None:
        by_queue = {(one.queue,): 0 for one in queues} | {(name,): n for name, n in dead_letters.items()}
        text = "Dead letters that nobody has decided about."
        found.append(_gauge("workers_dead_letters", text, ("queue",), by_queue))
    return found


def _of_paused(queues: Sequence[QueueStatus], paused: Collection[str]) -> list[Family]:
    startables = {(one.queue,): startable(one, paused) for one in queues}
    are_paused = {(one.queue,): one.queue in paused for one in queues}
    return [
        _gauge("workers_queue_startable", "Jobs that a free thread could start.", ("queue",), startables),
        _gauge("workers_queue_paused", "1 while the queue is paused.", ("queue",), are_paused),
    ]


def _gauge(name: str, text: str, labels: tuple[str, ...], values: Mapping[Any, float]) -> Family:
    return Family(name, "gauge", text, labels, {key: (float(value),) for key, value in values.items()})
