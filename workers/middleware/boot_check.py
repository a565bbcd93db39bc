"""What the broker hooks into dramatiq's worker."""

from __future__ import annotations

import logging
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import dramatiq
from dramatiq.middleware import SkipMessage

from ..delays.mover_thread import MoverThread
from ..errors import KafkaUnreachable, WorkerCannotStart
from ..health import HealthFile
from ..partitions.owned_partition import Delivery

if TYPE_CHECKING:
    from ..broker.kafka_broker import KafkaBroker

logger = logging.getLogger(__name__)

#: How long after a signal to stop the same one may come again by another way.
_ONE_STOP_S = 5.0
#: dramatiq's exit status of a worker process that cannot reach its broker.
_CANNOT_CONNECT = 3


class BootCheck(dramatiq.Middleware):
    """Lets a worker process start only when Kafka is there and has the pool's topics."""

    def __init__(self) -> None:
        self._in_command = False

    def after_process_boot(self, broker: dramatiq.Broker) -> None:  # noqa: ARG002 - dramatiq's command calls it
        self._in_command = True

    def before_worker_boot(self, broker: KafkaBroker, worker: dramatiq.Worker) -> None:  # type: ignore[override]  # noqa: ARG002
        library = logging.getLogger("kafka")
        chatty = library.level == logging.NOTSET  # else somebody has set its level
        if chatty:
            library.setLevel(logging.CRITICAL)  # what matters of a failure is in our error
        try:
            broker.prepare()
        except KafkaUnreachable as exc:
            if not self._in_command:
                raise WorkerCannotStart(str(exc)) from exc
            # dramatiq would log it with its traceback, which helps nobody who has to start Kafka.
            logger.critical("worker cannot start: %s", exc)
            sys.exit(_CANNOT_CONNECT)
        finally:
            if chatty:
                library.setLevel(logging.WARNING)


class StopsOnce(dramatiq.Middleware):
    """Makes a worker process of dramatiq's command take one stop for one.

    Who signals a whole process group, as honcho and systemd do, reaches a worker process twice: itself, and
    by way of dramatiq's main process, which passes the signal on. dramatiq takes the second for an order to
    die at once, and another worker would repeat what runs.
    """

    def after_process_boot(self, broker: dramatiq.Broker) -> None:  # noqa: ARG002
        stop = signal.getsignal(signal.SIGTERM)
        if not callable(stop):
            return
        once = OneStop(stop)
        for signum in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(signum) is stop:
                signal.signal(signum, once)


class OneStop:
    """A signal handler that passes on all signals but the second, where that follows soon."""

    def __init__(
        self, handler: Callable[[int, FrameType | None], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._handler = handler
        self._clock = clock
        self._count = 0
        self._first_at = 0.0

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        self._count += 1
        if self._count == 1:
            self._first_at = self._clock()
        elif self._count == 2 and self._clock() - self._first_at < _ONE_STOP_S:
            return
        self._handler(signum, frame)


class RunsMover(dramatiq.Middleware):
    """Moves delayed jobs on a thread of every worker process."""

    def __init__(self, health_dir: Path | None = None) -> None:
        """``health_dir``: see :class:`KafkaBroker`."""
        self._health_dir = health_dir
        self._threads: dict[dramatiq.Worker, MoverThread] = {}

    @property
    def is_healthy(self) -> bool:
        """Whether every worker of this process has its mover; False where there is no worker."""
        threads = list(self._threads.values())
        return bool(threads) and all(thread.is_healthy for thread in threads)

    def after_worker_boot(self, broker: KafkaBroker, worker: dramatiq.Worker) -> None:  # type: ignore[override]
        health = None if self._health_dir is None else HealthFile(self._health_dir)
        thread = self._threads[worker] = MoverThread(broker.make_mover, health=health)
        thread.start()

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:  # noqa: ARG002
        # It leaves its group while the worker's jobs finish.
        if worker in self._threads:
            self._threads[worker].stop()

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:  # noqa: ARG002
        thread = self._threads.pop(worker, None)
        if thread is not None:
            thread.join()


class RevocationGuard(dramatiq.Middleware):
    """Skips jobs that wait in this process while their partition is taken away: its next owner runs them."""

    def before_process_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:  # noqa: ARG002
        if isinstance(message, Delivery) and not message.start():
            raise SkipMessage("the job's partition was taken away before it started")
