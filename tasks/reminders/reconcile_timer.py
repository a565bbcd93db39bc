"""Has the reminders reconciled: when a worker starts, and every hour, by one worker of all."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import dramatiq

from workers.errors import WorkersError

from ..storage.shared_work import SharedWork

logger = logging.getLogger(__name__)

#: A worker that starts reconciles at once, unless another did within that time.
START_GAP = timedelta(minutes=1)
#: How often a worker looks whether it is time.
_LOOK_EVERY_S = 30.0


class Watch:
    """A thread that enqueues work when it is time for it, as `SharedWork` says, until it is stopped."""

    def __init__(
        self, work: Callable[[], SharedWork], enqueue: Callable[[], object], every: timedelta
    ) -> None:
        self._work = work
        self._enqueue = enqueue
        self._every = every
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reminder-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask it to stop; returns at once."""
        self._stopping.set()

    def join(self) -> None:
        """Wait until it has stopped."""
        self._thread.join()

    def look(self, now: datetime, *, at_start: bool) -> bool:
        """Enqueue the work if it is time; give whether it was. Raises WorkersError; then it is still time."""
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
                self.look(datetime.now(UTC), at_start=at_start)
                at_start = False
            except WorkersError as exc:
                logger.warning("reminders not reconciled, trying again in %g s: %s", _LOOK_EVERY_S, exc)
            except Exception:
                logger.exception("reminders not reconciled, trying again in %g s", _LOOK_EVERY_S)
            self._stopping.wait(min(_LOOK_EVERY_S, self._every.total_seconds()))


class RunsWatch(dramatiq.Middleware):
    """Runs a watch in every worker process."""

    def __init__(self, make: Callable[[], Watch]) -> None:
        self._make = make
        self._watches: dict[dramatiq.Worker, Watch] = {}

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:  # noqa: ARG002
        watch = self._watches[worker] = self._make()
        watch.start()

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:  # noqa: ARG002
        if worker in self._watches:
            self._watches[worker].stop()

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:  # noqa: ARG002
        watch = self._watches.pop(worker, None)
        if watch is not None:
            watch.join()
