"""Follows the control topic in a worker process: applies what is decided at once, and reports that.

One thread does both, so that a report never says more than is applied::

    control topic ──► State ──► Gate: no job starts any more that it does not let start
                                  └──► report to the fleet topic: "applied up to offset n", and every few
                                  seconds

The lift of a switch is applied for others once the dead letters of all that it holds here are written.
"""

from __future__ import annotations

import logging
import threading
import time

from ..errors import NotAuthorized, TopicsMissing, WorkersError
from ..fleet.process import REPORT_S
from ..fleet.reporter import Reporter
from ..kafka import Cluster
from ..kafka.topic_reader import TopicReader
from ..runtime.threads import RestartingThread
from .gate import Gate
from .state import State

logger = logging.getLogger(__name__)

#: Pause before the topic is opened again after an error.
_RESTART_S = 2.0
#: Pause between two attempts while the user has no right to read the topic, or it is missing.
_NO_RIGHT_S = 30.0
#: Pause after news: while Kafka is away each connection that is refused is one.
_PAUSE_S = 0.01
#: Pause between two looks whether the dead letters of a lifted switch are written.
_LETTERS_S = 0.1
#: The consumer's options: nothing but records is asked for, and a new leader is found by the errors of the
#: old.
OPTIONS = {"fetch_max_wait_ms": 20_000, "metadata_max_age_ms": 300_000}


class Follower(RestartingThread):
    """Applies all decisions in :meth:`load`, and those that come on its own thread until it is stopped.

    While it cannot read the topic, what was applied last stays.
    """

    def __init__(self, cluster: Cluster, topic: str, gate: Gate, reporter: Reporter) -> None:
        super().__init__(
            "controls",
            self._follow,
            pause_s=_RESTART_S,
            logger=logger,
            failure="controls not followed, what was applied last stays, trying again",
        )
        self._cluster = cluster
        self._topic = topic
        self._gate = gate
        self._reporter = reporter
        self._reader: TopicReader | None = None
        #: The offset behind the last record in the state of the gate, and the one that is reported.
        self._read: int | None = None
        self._applied: int | None = None
        self._is_refused = False

    def load(self) -> None:
        """Say that this process starts, and apply all that is decided; before its first job.

        Blocks. Raises KafkaUnreachable. Without the right to read the topic, it is logged and nothing is
        applied.
        """
        self._reporter.begin()
        try:
            self._open()
        except (NotAuthorized, TopicsMissing) as exc:
            self._tell(exc)

    def stop(self) -> None:
        super().stop()
        reader = self._reader
        if reader is not None:
            reader.wake()

    def join(self, timeout_s: float | None = None) -> None:
        """Wait until it has stopped, and say that the process ends."""
        super().join(timeout_s)
        self._reporter.end()

    def _open(self) -> TopicReader:
        """Read the topic whole. Raises KafkaUnreachable, NotAuthorized or TopicsMissing."""
        reader = TopicReader(self._cluster, self._topic, **OPTIONS)
        try:
            reader.open()
            reader.require_topics()
            self._gate.apply(State().after(reader.read_to_end()))
            self._read = reader.position(self._topic)
            self._note_applied()
        except BaseException:
            reader.close()
            raise
        self._reader = reader
        return reader

    def _follow(self, stopping: threading.Event) -> None:
        try:
            reader = self._reader or self._open()
            self._reporter.report(self._applied)
            self._apply_what_comes(reader, stopping)
        except (NotAuthorized, TopicsMissing) as exc:
            self._tell(exc)
            self._report_until(time.monotonic() + _NO_RIGHT_S, stopping)
        finally:
            self._close()

    def _apply_what_comes(self, reader: TopicReader, stopping: threading.Event) -> None:
        report_at = time.monotonic() + REPORT_S
        while not stopping.is_set():
            records = reader.read(timeout_ms=0)
            if records:
                self._gate.apply(self._gate.state.after(records))
                self._read = records[-1].offset + 1
            has_news = self._note_applied()
            now = time.monotonic()
            if has_news or now >= report_at:
                self._reporter.report(self._applied)
                report_at = now + REPORT_S
            elif not stopping.is_set():  # after the read, which forgets what had come
                reader.wait(report_at - now if self._applied == self._read else _LETTERS_S)
                stopping.wait(_PAUSE_S)

    def _note_applied(self) -> bool:
        """Note how much may be reported as applied; True if that is new."""
        if self._applied == self._read or self._gate.has_unwritten():
            return False
        self._applied = self._read
        return True

    def _report_until(self, end: float, stopping: threading.Event) -> None:
        while time.monotonic() < end and not stopping.wait(REPORT_S):
            self._reporter.report(self._applied)

    def _tell(self, error: WorkersError) -> None:
        if not self._is_refused:
            self._is_refused = True
            logger.warning(
                "controls not followed, jobs run as they come, nothing pauses them here: %s", error
            )

    def _close(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()
