"""Lets the processes of a worker share one port for probes and scrapes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

import dramatiq

from ..broker.kafka_broker import KafkaBroker
from ..consumer.queue_consumer import QueueConsumer
from ..measures import metrics
from ..middleware.runs_mover import RunsMover
from ..runtime.threads import RestartingThread
from .answers import Answers
from .parts import Parts, folder_for
from .queue_gauges import QueueGauges
from .server import Port

logger = logging.getLogger(__name__)

#: How often a process writes its part, and looks whether the port is free.
_EVERY_S = 1.0
#: Pause before it tries again after an error.
_AGAIN_S = 10.0
#: How many times the port may be taken before it is asked whether a process of ours has it.
_TRIES = 10


class ServesHttp(dramatiq.Middleware):
    """Serves `/livez`, `/readyz` and `/metrics` on one port for all processes of this machine that name it.

    The first process that gets the port serves it; when that ends, another does within a second.
    """

    def __init__(
        self, host: str, port: int, *, dramatiq_names: bool = False, folder: Path | None = None
    ) -> None:
        """``dramatiq_names``: figures come also under the names of dramatiq's own middleware.

        ``folder`` is where the processes put their parts; by default one of this user for this port.
        """
        self._place = (host, port)
        self._dramatiq_names = dramatiq_names
        self._folder = folder or folder_for(f"{host}-{port}".replace(":", "_"))
        self._thread: _ServingThread | None = None

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        assert isinstance(broker, KafkaBroker)
        if self._thread is not None:
            return
        gauges = QueueGauges(broker)

        def make(parts: Parts) -> Answers:
            return Answers(parts, gauges=gauges.families, dramatiq_names=self._dramatiq_names)

        self._thread = _ServingThread(
            self._place, Parts(self._folder), make, lambda: is_ready(broker, worker), gauges
        )
        self._thread.start()

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:  # noqa: ARG002
        if self._thread is not None:
            self._thread.is_draining = True

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:  # noqa: ARG002
        if self._thread is not None:
            self._thread.stop()
            self._thread.join()
            self._thread = None


class _ServingThread(RestartingThread):
    def __init__(
        self,
        place: tuple[str, int],
        parts: Parts,
        make: Callable[[Parts], Answers],
        is_ready: Callable[[], bool],
        gauges: QueueGauges,
    ) -> None:
        super().__init__(
            "measures",
            self._serve,
            pause_s=_AGAIN_S,
            logger=logger,
            failure="measures not shared, trying again",
        )
        self._place = place
        self._parts = parts
        self._make = make
        self._is_ready = is_ready
        self._gauges = gauges
        self._refused = 0
        #: Whether the worker gets no more jobs; those that run finish.
        self.is_draining = False

    def _serve(self, stopping: threading.Event) -> None:
        port = Port(*self._place, self._make(self._parts).answer)
        try:
            self._parts.enter()
            while not stopping.is_set():
                serves = port.try_to_serve()
                ready = not self.is_draining and self._is_ready()
                self._parts.write(metrics.families(), ready=ready, serves=serves)
                if not serves:
                    self._note_refused()
                stopping.wait(_EVERY_S)
            self._parts.write(metrics.families(), ready=False)  # the last jobs too
            self._gauges.close()
            self._parts.leave()
        finally:
            port.close()

    def _note_refused(self) -> None:
        """Warn, once, if the port is taken by something else than a process that shares it."""
        self._refused += 1
        if self._refused == _TRIES and not any(part.serves for part in self._parts.read()[0]):
            logger.warning("port %s:%d belongs to another program: choose another WORKER_HTTP", *self._place)


def is_ready(broker: KafkaBroker, worker: dramatiq.Worker) -> bool:
    """Whether a worker gets jobs: each of its consumers is a member of its group, and its mover is well."""
    consumers = [thread.consumer for thread in list(worker.consumers.values())]
    movers = [middleware for middleware in broker.middleware if isinstance(middleware, RunsMover)]
    are_members = all(isinstance(one, QueueConsumer) and one.is_member() for one in consumers)
    return bool(consumers) and are_members and all(mover.is_healthy for mover in movers)
