"""Finds the jobs of an event that are not done, in Kafka: those that wait, and dead letters."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from threading import Semaphore

from workers import KafkaBroker
from workers.dead_letters.reader import unresolved
from workers.delays import waiting_jobs
from workers.delays.waiting_jobs import DelayedJob
from workers.display.times import nearest_time
from workers.errors import Undecodable, WorkersError
from workers.partitions.taken_message import attempt_of
from workers.records.envelope import decode

from .story import GivenUp, Jobs, Waiting

logger = logging.getLogger(__name__)

#: How many searches go on at once: each reads topics from their beginning.
_AT_ONCE = 2

#: What a search that has come to its limit needs to hand over what it has found.
_GRACE_S = 0.5


class _TooLong(Exception):
    """The search has no time left."""


class JobSearch:
    """Reads the delay topics and the dead letters of a broker's namespace. Safe for any thread.

    It takes time in proportion to what waits and to the dead letters there are, and gives up at a limit.
    """

    def __init__(self, broker: KafkaBroker, *, limit_s: float = 3.0) -> None:
        self._broker = broker
        self._limit_s = limit_s
        self._threads = ThreadPoolExecutor(_AT_ONCE, "job-search")
        self._places = Semaphore(_AT_ONCE)

    def find(self, ids: Collection[str]) -> Jobs:
        """Find the jobs with these message ids. Blocks for the limit at most.

        What was not found in time, or while Kafka is away, is not complete. Nothing is found, at once, while
        as many searches go on as may: whoever waits for a place keeps a thread of the server.
        """
        if not self._places.acquire(blocking=False):
            logger.warning("stories.search_refused: %s others go on", _AT_ONCE)
            return Jobs(is_complete=False)
        deadline = time.monotonic() + self._limit_s
        searching = self._threads.submit(self._search, frozenset(ids), deadline)
        searching.add_done_callback(lambda _: self._places.release())
        try:
            return searching.result(self._limit_s + _GRACE_S)
        except NotInTime:
            logger.warning("stories.search_took_too_long limit_s=%s", self._limit_s)
        except WorkersError as exc:
            logger.warning("stories.search_failed: %s", exc)
        return Jobs(is_complete=False)

    def _search(self, ids: frozenset[str], deadline: float) -> Jobs:
        broker = self._broker

        def require_time(*_: object) -> None:
            if time.monotonic() > deadline:
                raise _TooLong

        waiting: list[Waiting] = []
        given_up: list[GivenUp] = []
        try:
            self._read_dead_letters(ids, given_up, require_time)
            for job in waiting_jobs.read(broker.cluster, broker.topics, broker.delay_tiers):
                require_time()
                if job.message_id in ids:
                    waiting.append(_waiting(job))
        except _TooLong:
            return Jobs(waiting, given_up, is_complete=False)
        return Jobs(sorted(waiting, key=lambda one: one.due), given_up)

    def _read_dead_letters(
        self, ids: frozenset[str], found: list[GivenUp], progress: Callable[..., None]
    ) -> None:
        broker = self._broker
        for entry in unresolved(broker.cluster, broker.topics.dead_letters, progress):
            letter = entry.letter
            if letter.id in ids:
                at = nearest_time(letter.time_ms)
                where = (letter.id, letter.actor, letter.queue)
                found.append(GivenUp(*where, letter.reason, letter.error, letter.attempts, at))


def _waiting(job: DelayedJob) -> Waiting:
    try:
        attempts = attempt_of(decode(job.record.value, None))
    except Undecodable:
        attempts = 0
    return Waiting(job.message_id or "", job.actor, job.queue, attempts, nearest_time(job.eta_ms))
