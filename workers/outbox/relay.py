"""Relays an outbox to Kafka on a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from sqlalchemy import Engine

from ..kafka.producing.producer import DurableProducer
from ..runtime.threads import RestartingThread
from .changes import Listener, Wake
from .errors import database_errors
from .leading import lead_of
from .writing import LOOK_S, RelayCounts, Target, Writing

logger = logging.getLogger(__name__)

#: The pause of a relay after its database failed, or Kafka did as it began.
_BEGIN_ANEW_S = 5.0


class Relay:
    """Relays an outbox on a thread of its own, until it is stopped. Several may run: one leads."""

    def __init__(
        self,
        target: Target,
        engine: Engine,
        reads: Engine | None = None,
        *,
        prepare: Callable[[], object] = lambda: None,
    ) -> None:
        """Does no I/O. ``reads``: an engine whose transactions take no lock, for SQLite.

        ``prepare`` makes sure that the table is there; the relay's thread calls it before anything else,
        again and again while it raises an error.
        """
        self.counts = RelayCounts()
        self._target = target
        self._engine = engine
        self._reads = reads
        self._prepare = prepare
        self._name = engine.url.set(query={}).render_as_string(hide_password=True)
        self._producer = DurableProducer(target.cluster)
        self._wake = Wake()
        self._thread = RestartingThread(
            "outbox-relay",
            self._run,
            pause_s=_BEGIN_ANEW_S,
            logger=logger,
            failure="outbox.relay_failed, it begins anew",
        )
        self._listener = Listener(engine, self._wake) if engine.dialect.name == "postgresql" else None

    def start(self) -> None:
        """Start the thread; returns at once."""
        self._thread.start()
        if self._listener is not None:
            self._listener.start()

    def stop(self) -> None:
        """Write no more rows, wait for the answers to those under way, and end. Blocks until then."""
        self._thread.stop()
        self._wake.set()
        if self._listener is not None:
            self._listener.stop()
        self._thread.join()
        if self._listener is not None:
            self._listener.join()
        self._producer.close()

    def _run(self, stopping: threading.Event) -> None:
        self._prepare()
        with database_errors(self._name), lead_of(self._engine, self._reads) as lead:
            while not lead.take():
                if stopping.wait(LOOK_S):
                    return
            self.counts.leads = True
            logger.info("outbox.leading database=%s", self._name)
            try:
                self._target.prepare()
                Writing(self._target, self._producer, lead, self._wake, self.counts).run(stopping)
            finally:
                self.counts.leads = False
