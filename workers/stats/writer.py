"""Writes what a worker process counts into the topic of the history."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import NotAuthorized, TopicsMissing, WorkersError
from ..kafka import awaited
from ..kafka.producing.producer import DurableProducer
from ..measures.families import Labels
from ..runtime.threads import RestartingThread
from .figures import Counts, since, so_far
from .history import is_shown
from .record import Part, encode
from .recorder import Recorder
from .tidier import Tidier

logger = logging.getLogger(__name__)

#: Pause before it goes on after something unforeseen.
_RESTART_DELAY_S = 5.0
#: How long a process that ends waits for the confirmation of its last parts.
_LAST_S = 2.0


class StatsWriter(RestartingThread):
    """A thread that writes each process's part, every ten seconds while there is something new.

    A part that Kafka has not confirmed is sent again, or its next version; no job waits for it.
    """

    def __init__(self, producer: DurableProducer, topic: str, process: str) -> None:
        super().__init__(
            "stats",
            self._write_all,
            pause_s=_RESTART_DELAY_S,
            logger=logger,
            failure="history not written, trying again",
        )
        self._producer = producer
        self._topic = topic
        self._recorder = Recorder(process, time.time())
        self._tidier = Tidier(producer, topic, process, time.time())
        #: The counts of this process before this worker, which an earlier worker has written.
        self._earlier = so_far()
        self._is_refused = False
        #: The parts that are not confirmed, by the key of their record, and what their last sending comes to.
        self._open: dict[bytes, tuple[Part, Any]] = {}

    def _write_all(self, stopping: threading.Event) -> None:
        while not stopping.wait(self._recorder.wait_s(time.time())):
            self._send(self._recorder.parts(self._totals(), time.time()))
            self._tidier.tidy(time.time())
        deadline = time.monotonic() + _LAST_S
        futures = self._send(self._recorder.parts(self._totals(), time.time(), all_of_it=True), deadline)
        for future in futures:
            try:
                awaited(future, self._producer.cluster, "write the history", deadline=deadline)
            except WorkersError as exc:
                logger.debug("last part of the history not written: %s", exc)

    def _totals(self) -> Mapping[Labels, Counts]:
        return since(so_far(), self._earlier)

    def _send(self, parts: Sequence[Part], deadline: float | None = None) -> list[Any]:
        self._open |= {encode(part).key or b"": (part, None) for part in parts}
        now_s = time.time()
        self._open = {
            key: (part, future)
            for key, (part, future) in self._open.items()
            if is_shown(part, now_s) and not (future is not None and future.succeeded())
        }
        try:
            for key, (part, future) in self._open.items():
                if future is None or future.failed():
                    sent = self._producer.send(self._topic, encode(part), deadline=deadline)
                    self._open[key] = part, sent
            return [future for _, future in self._open.values()]
        except (NotAuthorized, TopicsMissing) as exc:
            self._open.clear()
            if not self._is_refused:
                self._is_refused = True
                logger.warning("this process is missing in the history, jobs run all the same: %s", exc)
        except WorkersError as exc:
            logger.debug("history not written: %s", exc)
        return []
