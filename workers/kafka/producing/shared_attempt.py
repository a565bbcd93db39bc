"""Shares one attempt of a slow call among all threads that wait for it, with a circuit breaker."""

from __future__ import annotations

import asyncio
import os
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, NoReturn, TypeVar

from ...errors import KafkaUnreachable, NotAuthorized, TopicsMissing, WorkersError
from ..cluster import Cluster

T = TypeVar("T")

#: Pause after a failed attempt; each further failure in a row doubles it, up to the maximum.
FIRST_DELAY_S = 1.0
MAX_DELAY_S = 5.0


class SharedAttempt(Generic[T]):
    """Runs a blocking call on a thread of its own, one at a time, for any thread and any event loop.

    Whoever asks while the call runs gets its result. A call that finds Kafka away opens a circuit breaker:
    until the next attempt is due, others get the error at once, and its text says when that will be. That
    attempt is made by the next caller; others are still refused at once while it runs.
    """

    def __init__(
        self,
        cluster: Cluster,
        doing: str,
        call: Callable[[], T],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``doing`` completes "cannot ..." in the error of a caller that waits too long."""
        self._cluster = cluster
        self._doing = doing
        self._call = call
        self._clock = clock
        self.forget()
        _instances.add(self)

    def wait(self, timeout_s: float | None = None) -> T:
        """The call's result; blocks. Raises its error, or KafkaUnreachable after ``timeout_s``.

        Raises KafkaUnreachable too if no thread can be started.
        """
        future = self._future()
        try:
            return future.result(timeout_s)
        except TimeoutError as exc:
            self._late(timeout_s, exc)
        except WorkersError as exc:
            raise again(exc) from exc.__cause__

    async def wait_async(self, timeout_s: float | None = None) -> T:
        """Do as :meth:`wait` does without blocking the event loop."""
        future = self._future()
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.wrap_future(future)
        except TimeoutError as exc:
            self._late(timeout_s, exc)
        except WorkersError as exc:
            raise again(exc) from exc.__cause__

    def forget(self) -> None:
        """Forget the running call: a forked child has not inherited its thread."""
        self._lock = threading.Lock()
        self._running: Future[T] | None = None
        self._error: WorkersError | None = None
        self._failures = 0
        self._due_at = 0.0

    def _future(self) -> Future[T]:
        with self._lock:
            if self._running is not None and self._error is None:
                return self._running
            if self._error is not None:
                self._refuse(self._error)
            future: Future[T] = Future()
            future.set_running_or_notify_cancel()  # a waiting task that is cancelled does not cancel it
            thread = threading.Thread(target=self._run, args=(future,), name="kafka-attempt", daemon=True)
            try:
                thread.start()
            except RuntimeError as exc:  # the process has no room for a thread; who asks tries again
                raise KafkaUnreachable(f"cannot {self._doing}: {exc}") from exc
            self._running = future
        return future

    def _refuse(self, error: WorkersError) -> None:
        """Raise the last attempt's error, unless another is due."""
        left_s = self._due_at - self._clock()
        if self._running is not None:
            when = "it is being tried again now"
        elif left_s > 0:
            when = f"it is tried again in {left_s:.1f} s"
        else:
            return
        raise again(error, f"; {when}") from error.__cause__

    def _run(self, future: Future[T]) -> None:
        try:
            result = self._call()
        except BaseException as exc:  # noqa: BLE001 - those who wait get it
            self._ended(exc)
            future.set_exception(exc)
        else:
            self._ended(None)
            future.set_result(result)

    def _ended(self, error: BaseException | None) -> None:
        with self._lock:
            self._running = None
            # A topic or a right that is missing is the answer of a Kafka that is there.
            if isinstance(error, KafkaUnreachable) and not isinstance(error, TopicsMissing | NotAuthorized):
                self._error = error
                self._due_at = self._clock() + min(FIRST_DELAY_S * 2**self._failures, MAX_DELAY_S)
                self._failures += 1
            else:
                self._error, self._failures = None, 0

    def _late(self, timeout_s: float | None, cause: BaseException) -> NoReturn:
        raise KafkaUnreachable(
            f"Kafka at {self._cluster.address} did not answer in {timeout_s or 0:.3g} s, cannot {self._doing}"
        ) from cause


def again(error: WorkersError, more: str = "") -> WorkersError:
    """A copy of an error that several threads raise: raised in all of them, one would mix their traces."""
    return type(error)(f"{error}{more}")


_instances: weakref.WeakSet[SharedAttempt[Any]] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for instance in list(_instances):
        instance.forget()


os.register_at_fork(after_in_child=_after_fork_in_child)
