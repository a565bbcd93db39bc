"""Starts a worker only where Kafka is there."""

from __future__ import annotations

import logging
import sys
from typing import Protocol

import dramatiq

from ..errors import KafkaUnreachable, WorkerCannotStart

logger = logging.getLogger(__name__)

#: dramatiq's exit status of a worker process that cannot reach its broker.
_CANNOT_CONNECT = 3


class Prepares(Protocol):
    """What is needed of the broker."""

    def prepare(self) -> list[str]:
        """See :meth:`KafkaBroker.prepare`."""


class BootCheck(dramatiq.Middleware):
    """Lets a worker process start only when Kafka is there and has the pool's topics."""

    def __init__(self) -> None:
        self._in_command = False

    def after_process_boot(self, broker: dramatiq.Broker) -> None:  # noqa: ARG002 - dramatiq's command calls it
        self._in_command = True

    def before_worker_boot(self, broker: Prepares, worker: dramatiq.Worker) -> None:  # type: ignore[override]  # noqa: ARG002
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
