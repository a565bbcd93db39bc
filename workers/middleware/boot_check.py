"""Lets a worker process start only if Kafka and the pool's topics are there, and its controls are applied."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Protocol

import dramatiq

from ..errors import KafkaUnreachable, WorkerCannotStart
from ..kafka.library_log import silent_library

logger = logging.getLogger(__name__)

#: dramatiq's exit status of a worker process that cannot reach its broker.
_CANNOT_CONNECT = 3


class Prepares(Protocol):
    """The part of the broker that BootCheck needs."""

    def prepare(self) -> list[str]:
        """See :meth:`KafkaBroker.prepare`."""


class BootCheck(dramatiq.Middleware):
    """Prepares the broker before a worker boots, and ends the process if that fails.

    It ends with one line where Kafka is the cause, and with the traceback of any other error.
    """

    def __init__(
        self,
        then: Callable[[dramatiq.Worker], object] = lambda _: None,
        tell: Callable[[dramatiq.Worker], object] = lambda _: None,
    ) -> None:
        """``then`` gets the worker, does more that needs Kafka, and may fail in the same way.

        ``tell`` says what Kafka lacks; in dramatiq's command only, once for each process.
        """
        self._then = then
        self._tell = tell
        self._in_command = False

    def after_process_boot(self, broker: dramatiq.Broker) -> None:  # noqa: ARG002 - dramatiq's command calls it
        self._in_command = True

    def before_worker_boot(self, broker: Prepares, worker: dramatiq.Worker) -> None:  # type: ignore[override]
        try:
            with silent_library():
                broker.prepare()
                self._then(worker)
                if self._in_command:
                    self._tell(worker)
        except KafkaUnreachable as exc:
            if not self._in_command:
                raise WorkerCannotStart(str(exc)) from exc
            # dramatiq would log the traceback as well, which helps nobody to start Kafka.
            logger.critical("worker cannot start: %s", exc)
            sys.exit(_CANNOT_CONNECT)
        except Exception as exc:
            # dramatiq would log it and boot the worker all the same, without what operators have decided.
            if not self._in_command:
                raise WorkerCannotStart(f"{type(exc).__name__}: {exc}") from exc
            logger.critical("worker cannot start", exc_info=True)
            sys.exit(_CANNOT_CONNECT)
