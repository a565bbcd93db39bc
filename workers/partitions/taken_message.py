"""A message that was taken from a partition and handed out to dramatiq."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Protocol

import dramatiq

from ..measures.jobs import JOBS, Outcome
from ..records.consumed import ConsumedRecord
from ..records.headers import due_ms, eta_ms, trace_id_of
from .owned_partition import OwnedPartition

logger = logging.getLogger(__name__)

#: A message that names more retries has not had them.
_MAX_RETRIES = 10**9


class Pauses(Protocol):
    """The queues whose jobs must wait."""

    #: Whether there is none, nor anything else that keeps a job from starting.
    is_open: bool

    def is_paused(self, queue: str) -> bool:
        """Whether no job of the queue may start now."""


class TakenMessage(dramatiq.MessageProxy):
    """dramatiq's MessageProxy with the record it came from, its partition, and where its ack goes.

    In the inbox it means that its job is done or, with ``handed_back``, that the job will not run here or,
    with ``given_up``, that it gets a dead letter.
    """

    __slots__ = (
        "_exception",
        "_held",
        "_is_of_source",
        "_original",
        "_to_start",
        "acked",
        "actor_name",
        "args",
        "attempt",
        "began_at",
        "cells",
        "expected",
        "failed",
        "given_up",
        "handed_back",
        "inbox",
        "kwargs",
        "message_id",
        "message_timestamp",
        "options",
        "owned",
        "put_back",
        "queue_name",
        "record",
        "running",
        "skipped",
        "started",
        "started_at",
        "taken_out",
        "when_done",
        "withdrawn",
    )

    def __init__(
        self,
        message: dramatiq.Message[Any],
        record: ConsumedRecord,
        owned: OwnedPartition,
        inbox: SimpleQueue[Any],
        *,
        is_of_source: bool = False,
    ) -> None:
        """``is_of_source``: others wrote the record, so that no header of it is a job's."""
        # dramatiq's worker and middleware ask for the message's fields some thirty times; as attributes they
        # need not go through MessageProxy's __getattr__. Its __init__ is not called: this sets the same.
        self._message = message
        self.failed = False
        self._exception: BaseException | None = None
        self.record = record
        self.owned = owned
        self.inbox = inbox
        self._is_of_source = is_of_source
        self.started = self.running = self.acked = self.skipped = False
        #: Empty once it was started or withdrawn: popping decides between the two, on whatever threads.
        self._to_start = [None]
        #: Whether it was taken back from dramatiq before it started, to be passed on to another process. If
        #: that fails, its record gets a new message.
        self.withdrawn = False
        #: Whether its queue was paused when a thread was about to run it: then its record waits on in its
        #: partition, and gets a new message.
        self.put_back = False
        #: The id of the switch that has kept it from running: it is a dead letter, or discarded.
        self.taken_out: str | None = None
        #: When it started, by the system's clock.
        self.started_at = 0.0
        #: It does not run here; dramatiq acks it all the same, and that ack does not make it done.
        self.handed_back = False
        #: Whether it failed with an exception that its actor throws on purpose.
        self.expected = False
        self.attempt = attempt_of(message) if message.options else 1
        #: The error of a job that was released with one.
        self.given_up: Exception | None = None
        #: Of a job that is held: has an item until the thread or `release` has finished with it.
        self._held: list[None] | None = None
        #: Called once when the job has ended, on the thread that ends it, with the outcome and the error.
        self.when_done: Callable[[Outcome, BaseException | None], object] | None = None

    @property
    def _message(self) -> dramatiq.Message[Any]:
        return self._original

    @_message.setter
    def _message(self, message: dramatiq.Message[Any]) -> None:
        # Middleware may replace the message before it runs.
        self._original = message
        self.queue_name = message.queue_name
        self.actor_name = message.actor_name
        self.args = message.args
        self.kwargs = message.kwargs
        self.options = message.options
        self.message_id = message.message_id
        self.message_timestamp = message.message_timestamp

    def __str__(self) -> str:
        """For logs: dramatiq's own would show the arguments, and with them names and addresses of people."""
        return f"{self.actor_name} {self.message_id}"

    def start(self, pauses: Pauses | None = None) -> bool:
        """Note that a worker thread is about to run the job; False if it must not any more."""
        self.started_at = time.time()
        # In this order: either the thread sees the partition closed, or the closing sees the job started; and
        # either it sees the pause, or the report that confirms the pause names the job.
        self.started = True
        self.handed_back = self.owned.closed or not self._decide()
        if pauses is not None and not pauses.is_open and not self.handed_back:
            self.put_back = self.handed_back = pauses.is_paused(self.queue_name)
        if self.handed_back:
            return False
        self.running = True
        JOBS.started(self)
        return True

    @property
    def is_at_work(self) -> bool:
        """Whether it runs, as far as is known: a thread may find just now that it must not."""
        return self.started and not (self.handed_back or self.acked)

    def hold(self) -> None:
        """Keep the job in hand after its actor has returned, until :meth:`release`. For the actor's thread.

        So a job can wait for something without a thread; for the middleware it ends when its actor returns.
        """
        self._held = [None]

    def release(self, error: Exception | None = None) -> None:
        """End :meth:`hold`, from any thread, once: the job is done, or a dead letter if there is an error."""
        self.given_up = error
        self.ack()

    def withdraw(self) -> bool:
        """Keep worker threads from running the job; False if one does already."""
        self.withdrawn = not self.started and self._decide()
        return self.withdrawn

    def _decide(self) -> bool:
        try:
            self._to_start.pop()
        except IndexError:
            return False
        return True

    def ack(self) -> None:
        """Note that a worker thread has finished with it; said again, it is measured and told only once."""
        if self._held:
            try:
                self._held.pop()
            except IndexError:
                pass  # the other one was quicker
            else:
                return
        if self.running:
            self._measure()
        if self.when_done is not None:
            when_done, self.when_done = self.when_done, None
            self._tell(when_done)
        # In this order: either a consumer that takes the job over sees this, or its inbox gets the ack.
        self.acked = True
        self.inbox.put(self)

    def _measure(self) -> None:
        try:
            since_ms = self.record.timestamp if self._is_of_source else due_ms(self.record)
            JOBS.ended(self, self._outcome(), since_ms)
        except Exception:  # without its ack, a job would hold up its partition for ever
            logger.exception("job not measured %s", self)

    def _tell(self, when_done: Callable[[Outcome, BaseException | None], object]) -> None:
        try:
            when_done(self._outcome(), self.given_up or self._exception)
        except Exception:  # as above
            logger.exception("end of job not told %s", self)

    @property
    def was_delayed(self) -> bool:
        """Whether it waited for a due time before it came into its queue."""
        return not self._is_of_source and eta_ms(self.record) is not None

    @property
    def trace_id(self) -> str | None:
        """The trace that the job belongs to, in hexadecimal; None if no header names one."""
        return trace_id_of(self.record.headers)

    def _outcome(self) -> Outcome:
        if self.failed or self.given_up is not None:
            return Outcome.DEAD
        if self._exception is not None:
            return Outcome.RETRIED
        return Outcome.SKIPPED if self.skipped else Outcome.DONE


def attempt_of(message: dramatiq.Message[Any]) -> int:
    """Which attempt this is, from 1; dramatiq's Retries counts those before it on the message."""
    retries = message.options.get("retries")
    return retries + 1 if isinstance(retries, int) and 0 <= retries < _MAX_RETRIES else 1
