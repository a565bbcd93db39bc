"""Says how many jobs of a queue more workers could start: what an autoscaler should look at."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from ..broker.kafka_broker import KafkaBroker
from ..delays.due_soon import due_soon
from ..errors import NotAuthorized, WorkersError
from .queue_status import QueueStatus, StatusReader

logger = logging.getLogger(__name__)

#: A pod takes so long to start: what becomes due meanwhile counts.
_POD_STARTS_S = 30.0
#: Answers younger than this are given again: an autoscaler asks for each queue, and more than one may ask.
_FRESH_S = 5.0


def startable(queue: QueueStatus, paused: Collection[str]) -> int:
    """The jobs of a queue that wait only for a free thread; none of a queue that is paused."""
    return 0 if queue.queue in paused else max(0, queue.waiting - queue.held_up)


def paused_queues(broker: KafkaBroker) -> Collection[str] | None:
    """The queues that are paused now; None where this user may not know. Raises KafkaUnreachable."""
    try:
        return broker.controls.state().paused(time.time() * 1000).keys()
    except NotAuthorized:
        return None


@dataclass(frozen=True, slots=True)
class Scale:
    """What an autoscaler should look at.

    ``startable`` jobs could start if there were threads, or become due while a process starts. ``oldest_s``
    is the age of the oldest job that is not done; 0.0 if none is, or none has a time. ``is_paused`` is None
    where this user may not read what is decided: the queue then counts as one that is not paused.
    """

    startable: int
    oldest_s: float
    is_paused: bool | None = False


class Scaling:
    """Reads the scale of a broker's queues, all at once. Safe for any thread; one reads, others wait."""

    def __init__(self, broker: KafkaBroker, clock: Callable[[], float] = time.monotonic) -> None:
        """Does no I/O."""
        self._broker = broker
        self._clock = clock
        self._lock = threading.Lock()
        self._read_at: float | None = None
        self._scales: dict[str, Scale] = {}
        self._failure: WorkersError | None = None
        self._has_told = False

    def of(self, queue: str) -> Scale:
        """The scale of a queue, a few seconds old at most. Blocks while it is read.

        So is a failure: while Kafka is away, whoever waited and whoever asks next gets it at once.

        Raises UnknownQueue, KafkaUnreachable or NotAuthorized.
        """
        self._broker.require_queue(queue)
        with self._lock:
            if self._read_at is None or self._clock() - self._read_at >= _FRESH_S:
                self._look()
            if self._failure is not None:
                raise self._failure.with_traceback(None)
            return self._scales[queue]

    def _look(self) -> None:
        self._failure = None
        try:
            self._scales = self._read()
        except WorkersError as exc:
            self._failure = exc
        self._read_at = self._clock()

    def _read(self) -> dict[str, Scale]:
        broker = self._broker
        with StatusReader(broker.cluster, broker.topics, broker.delay_tiers, broker.topics_of) as reader:
            queues = reader.read(sorted(broker.queues))
        now_ms = int(time.time() * 1000)
        soon = due_soon(
            broker.cluster, broker.topics, broker.delay_tiers, within_s=_POD_STARTS_S, now_ms=now_ms
        )
        paused = paused_queues(broker)
        if paused is None and not self._has_told:
            self._has_told = True
            logger.warning(
                "scaling counts paused queues as open: this user may not read topic %s", broker.topics.control
            )
        return {one.queue: scale(one, soon[one.queue], paused) for one in queues}


def scale(queue: QueueStatus, due_soon: int, paused: Collection[str] | None) -> Scale:
    """The scale of a queue. Of one that is paused it is 0: no worker could start anything. Pure.

    ``paused`` is None where nobody may know: workers that start for a paused queue do no harm, and jobs that
    find no worker would.
    """
    is_paused = None if paused is None else queue.queue in paused
    if is_paused:
        return Scale(0, 0.0, is_paused=True)
    oldest_s = round((queue.oldest and queue.oldest.age_s) or 0.0, 3)
    return Scale(startable(queue, ()) + due_soon, oldest_s, is_paused)
