"""What the broker hooks into dramatiq's worker."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import dramatiq
from dramatiq.middleware import SkipMessage

from .errors import KafkaUnreachable, WorkerCannotStart
from .lanes import Delivery
from .mover_thread import MoverThread

if TYPE_CHECKING:
    from .broker import KafkaBroker


class BootCheck(dramatiq.Middleware):
    """Lets a worker process start only when Kafka is there and has the pool's topics."""

    def before_worker_boot(self, broker: KafkaBroker, worker: dramatiq.Worker) -> None:  # type: ignore[override]  # noqa: ARG002
        _quieten("kafka")
        try:
            broker.prepare()
        except KafkaUnreachable as exc:
            raise WorkerCannotStart(str(exc)) from exc


class RunsMover(dramatiq.Middleware):
    """Moves delayed jobs on a thread of every worker process."""

    def __init__(self) -> None:
        self._threads: dict[dramatiq.Worker, MoverThread] = {}

    @property
    def is_healthy(self) -> bool:
        """Whether every worker of this process has its mover; False where there is no worker."""
        threads = list(self._threads.values())
        return bool(threads) and all(thread.is_healthy for thread in threads)

    def after_worker_boot(self, broker: KafkaBroker, worker: dramatiq.Worker) -> None:  # type: ignore[override]
        thread = self._threads[worker] = MoverThread(broker.make_mover)
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


def _quieten(name: str) -> None:
    """Show only the warnings of a chatty library, unless somebody has set its level."""
    library = logging.getLogger(name)
    if library.level == logging.NOTSET:
        library.setLevel(logging.WARNING)
