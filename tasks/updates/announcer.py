"""Announces what a worker did, without waiting.

An update is handed to the producer before its job is acked, and repeated with the same id if the job is. It
is not part of the work: the job neither waits for Kafka's answer nor fails with it. So it can be lost, if the
worker dies in the moment between, or if Kafka does not take it; the latter is counted and logged. What was
done stands in the database in any case.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable
from typing import Any

from workers.errors import WorkersError
from workers.records.envelope import Record

from .records import Update, record_of

logger = logging.getLogger(__name__)

#: Failures are logged at most this often, with their count since the last time.
_LOG_EVERY_S = 10.0


class Announcer:
    """Writes updates; safe for any thread. ``hand_over`` takes a record and returns kafka-python's future."""

    def __init__(
        self, hand_over: Callable[[Record], Any], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._hand_over = hand_over
        self._clock = clock
        self._failures = itertools.count(1)
        self.failed = 0
        self._log_at = 0.0

    def __call__(self, update: Update) -> None:
        """Announce an update; never raises and never waits for Kafka's answer."""
        try:
            future = self._hand_over(record_of(update))
        except WorkersError as exc:
            self._note_failure(exc)
            return
        future.add_errback(self._note_failure)

    def _note_failure(self, error: BaseException) -> None:
        self.failed = next(self._failures)
        now = self._clock()
        if now >= self._log_at:
            self._log_at = now + _LOG_EVERY_S
            logger.warning("update.lost count=%d since start: %s", self.failed, error)


def announce_nothing(update: Update) -> None:
    """Stand in for an announcer if WEB_UPDATES is off."""
