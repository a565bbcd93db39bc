"""Makes jobs of the effects that are left, and sets alarms; on a thread of its own, as Kafka may be slow."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue

from workers.errors import BatchNotDelivered, KafkaUnreachable, NotAuthorized

from ..reminders.outcomes import AlarmToSet
from .event_in_hand import Effect, EventInHand

logger = logging.getLogger(__name__)

#: The pause before jobs that Kafka did not take are enqueued again.
RETRY_DELAY_S = 1.0


@dataclass(frozen=True)
class Left:
    """An effect that becomes a job."""

    event: EventInHand
    effect: Effect


def left_over(event: EventInHand, effect: Effect, error: Exception | None = None) -> Left:
    """Leave an effect to a job, because of an error or because it should not be brought about here."""
    if error is not None:
        ids = (event.event.event_id, effect.value)
        logger.warning("event.later event_id=%s actor=%s: %s", *ids, error)
    event.open.discard(effect)
    return Left(event, effect)


@dataclass(frozen=True)
class Alarms:
    """The alarms that are to be set after an event."""

    event: EventInHand
    alarms: Sequence[AlarmToSet]


class Later:
    """Does such work in the order in which it comes, many pieces at a time. Any thread may give it some.

    ``enqueue`` returns once Kafka has a job for each effect, always the same; ``set_alarms`` once the alarms
    are set. While Kafka is away the jobs are tried again and again: an event is not done without them. A job
    that Kafka refuses is the failure of its event.
    """

    def __init__(
        self,
        enqueue: Callable[[Sequence[Left]], None],
        set_alarms: Callable[[Sequence[Alarms]], None],
    ) -> None:
        self._enqueue = enqueue
        self._set_alarms = set_alarms
        self._waiting: SimpleQueue[Left | Alarms | None] = SimpleQueue()
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def put(self, *work: Left | Alarms) -> None:
        """Have this work done; does not wait for it, but for a `close` under way.

        If the thread cannot start, which is logged, the work is done when it can for later work.
        """
        if not work:
            return
        with self._lock:
            for one in work:
                self._waiting.put(one)
            if self._thread is None or not self._thread.is_alive():
                self._start()

    def close(self) -> None:
        """Do what waits and end the thread. What Kafka does not take now, the event's job finds again."""
        with self._lock:
            thread, self._thread = self._thread, None
            if thread is not None and thread.is_alive():
                self._closing.set()
                self._waiting.put(None)
                thread.join()
                self._closing.clear()

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="effects-later", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            logger.exception("event.later pieces=%d: no thread for them", self._waiting.qsize())
        else:
            self._thread = thread

    def _run(self) -> None:
        is_last = False
        while not is_last:
            work, is_last = self._gather()
            try:
                self._do(work)
            except Exception:
                logger.exception("event.later pieces=%d: failed", len(work))

    def _do(self, work: Sequence[Left | Alarms]) -> None:
        left = [one for one in work if isinstance(one, Left)]
        if alarms := [one for one in work if isinstance(one, Alarms)]:
            left += self._not_set(alarms)
        if left:
            self._make_jobs(left)

    def _gather(self) -> tuple[list[Left | Alarms], bool]:
        """What waits, and whether it is the last; blocks until there is something."""
        found: list[Left | Alarms] = []
        one = self._waiting.get()
        while one is not None:
            found.append(one)
            if self._waiting.empty():
                return found, False
            one = self._waiting.get()
        return found, True

    def _not_set(self, work: Sequence[Alarms]) -> list[Left]:
        """Set the alarms; where that fails, return the effects that are left."""
        try:
            self._set_alarms(work)
        except Exception as exc:  # noqa: BLE001 - its job will meet it again, and say what it is
            logger.warning("event.later alarms=%d: %s", sum(len(one.alarms) for one in work), exc)
            return [Left(one.event, Effect.REMIND) for one in work]
        for one in work:
            one.event.done(Effect.REMIND, "set")
        return []

    def _make_jobs(self, left: Sequence[Left]) -> None:
        try:
            self._enqueue(left)
        except Exception as exc:  # noqa: BLE001 - whose jobs these are is found out one by one
            if not (self._closing.is_set() and _is_away(exc)):
                self._make_each(left)
        else:
            for one in left:
                one.event.done(one.effect, "job")

    def _make_each(self, left: Sequence[Left]) -> None:
        """Make a job of each, round after round until each is made or refused, or the thread is to end."""
        while True:
            again: list[Left] = []
            for one in left:
                if not self._make_job(one):
                    again.append(one)
                    if self._closing.is_set():
                        return
            left = again
            if not left or self._closing.wait(RETRY_DELAY_S):
                return

    def _make_job(self, one: Left) -> bool:
        """Make a job of it, or note that it can be none; False if Kafka is away."""
        try:
            self._enqueue([one])
        except Exception as exc:  # noqa: BLE001 - it becomes the reason of a dead letter
            if _is_away(exc):
                logger.warning("event.later event_id=%s, trying again: %s", one.event.event.event_id, exc)
                return False
            one.event.failed(one.effect, exc)
        else:
            one.event.done(one.effect, "job")
        return True


def _is_away(error: Exception) -> bool:
    """Whether Kafka did not answer or could not, rather than refuse the job."""
    if isinstance(error, BatchNotDelivered):
        error = error.failures[0][1]
    return isinstance(error, KafkaUnreachable) and not isinstance(error, NotAuthorized)
