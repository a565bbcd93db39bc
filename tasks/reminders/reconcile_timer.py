"""Starts the reconciling of reminders: when a worker starts, and regularly, by one worker of the fleet."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dramatiq

from workers.errors import WorkersError

if TYPE_CHECKING:
    from ..storage.shared_work import SharedWork

logger = logging.getLogger(__name__)

#: A worker that starts reconciles at once, unless another one did within this time.
START_GAP = timedelta(minutes=1)
#: How often a worker checks whether it is time.
_CHECK_EVERY_S = 30.0


class ReconcileTimer:
    """A thread that enqueues work whenever `SharedWork` says that it is time, until it is stopped."""

    def __init__(
        self, work: Callable[[], SharedWork], enqueue: Callable[[], object], every: timedelta
    ) -> None:
        self._work = work
        self._enqueue = enqueue
        self._every = every
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reminder-timer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask it to stop; returns at once."""
        self._stopping.set()

    def join(self) -> None:
        """Wait until it has stopped."""
        self._thread.join()

    def check(self, now: datetime, *, at_start: bool) -> bool:
        """Enqueue the work if it is time; returns whether it was.

        Raises WorkersError if it could not be enqueued; then it is still time.
        """
        work = self._work()
        if not work.begin(now, min(START_GAP, self._every) if at_start else self._every):
            return False
        try:
            self._enqueue()
        except WorkersError:
            work.give_back()
            raise
        return True

    def _run(self) -> None:
        at_start = True
        while not self._stopping.is_set():
            try:
                self.check(datetime.now(UTC), at_start=at_start)
                at_start = False
            except WorkersError as exc:
                logger.warning("reminders not reconciled, trying again in %g s: %s", _CHECK_EVERY_S, exc)
            except Exception:
                logger.exception("reminders not reconciled, trying again in %g s", _CHECK_EVERY_S)
            self._stopping.wait(min(_CHECK_EVERY_S, self._every.total_seconds()))


class RunsReconcileTimer(dramatiq.Middleware):
    """Runs a reconcile timer in every worker process."""

    def __init__(self, make: Callable[[], ReconcileTimer]) -> None:
        self._make = make
        self._timers: dict[dramatiq.Worker, ReconcileTimer] = {}

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:  # noqa: ARG002
        timer = self._timers[worker] = self._make()
        timer.start()

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:  # noqa: ARG002
        if worker in self._timers:
            self._timers[worker].stop()

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:  # noqa: ARG002
        timer = self._timers.pop(worker, None)
        if timer is not None:
            timer.join()
