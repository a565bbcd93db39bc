"""Writes the reports of one worker process."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from ..errors import NotAuthorized, TopicsMissing, WorkersError
from ..kafka import awaited
from ..kafka.producing.producer import DurableProducer
from .process import Process, encode, farewell

logger = logging.getLogger(__name__)

#: How long a process that ends waits for the confirmation that it has said so.
_FAREWELL_S = 2.0


class Reporter:
    """Reports what one process does. For one thread."""

    def __init__(self, producer: DurableProducer, topic: str, look: Callable[[int | None], Process]) -> None:
        """``look`` returns the process as it is now, with what it has applied."""
        self._producer = producer
        self._topic = topic
        self._look = look
        self._name = look(None).name
        self._is_refused = False

    def report(self, applied: int | None) -> None:
        """Send a report without waiting for its confirmation; the next replaces one that is not written."""
        try:
            future = self._producer.send(self._topic, encode(self._look(applied)))
        except WorkersError as exc:
            self._note(exc)
            return
        future.add_errback(lambda exc: logger.debug("report not written: %s", exc))

    def begin(self) -> None:
        """Write the first report and wait for its confirmation. Raises KafkaUnreachable.

        A process must be seen before it reads what is decided: whoever decides something afterwards waits
        for it.
        """
        try:
            self._producer.deliver(self._topic, encode(self._look(None)))
        except (NotAuthorized, TopicsMissing) as exc:
            self._note(exc)

    def end(self) -> None:
        """Say that the process ends; blocks for a moment at most."""
        deadline = time.monotonic() + _FAREWELL_S
        try:
            future = self._producer.send(self._topic, farewell(self._name), deadline=deadline)
            awaited(future, self._producer.cluster, "write that the process ends", deadline=deadline)
        except WorkersError as exc:
            logger.debug("end not reported: %s", exc)

    def _note(self, error: WorkersError) -> None:
        if not isinstance(error, NotAuthorized | TopicsMissing):
            logger.debug("report not written: %s", error)
        elif not self._is_refused:
            self._is_refused = True
            logger.warning("this process does not show in the fleet, jobs run all the same: %s", error)
