"""Finds out whether a job's follow-up was lost: its retry, its callback, the next job of its pipeline.

dramatiq's middleware enqueues these after the job has run, and dramatiq only logs a failure of that; the job
would then be acked, and its follow-up would never happen. So the job itself becomes a dead letter.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import dramatiq
from dramatiq.middleware import Interrupt

from ..partitions.taken_message import TakenMessage
from .signals import SignallingBroker


class FollowUps:
    """Watches what the middleware enqueues while a worker thread finishes a job. One job per thread."""

    def __init__(self) -> None:
        self._finishing = threading.local()

    def begin(self, message: dramatiq.MessageProxy) -> None:
        """Note that this thread has run the job, and that its middleware runs next."""
        self._finishing.message, self._finishing.sent_again = message, False

    def end(self, *, failed: bool) -> None:
        """Note that the middleware has run.

        A job that failed and that nobody has given up or sent again is given up here: that happens without a
        Retries middleware, or if that raises an error over the job's options.
        """
        message, self._finishing.message = self._finishing.message, None
        if failed and not self._finishing.sent_again:
            message.fail()

    def sent(self, message: dramatiq.Message[object]) -> None:
        """Note that a message was enqueued."""
        finishing = self._job
        if finishing is not None and finishing.message_id == message.message_id:
            self._finishing.sent_again = True

    def lost(self, error: BaseException) -> None:
        """Note that a message could not be enqueued: the job that this thread finishes is given up."""
        message = self._job
        if message is None:
            return
        message.fail()
        if message._exception is None:
            message.stuff_exception(error)

    @property
    def _job(self) -> dramatiq.MessageProxy | None:
        return getattr(self._finishing, "message", None)


class FollowUpBroker(SignallingBroker):
    """A broker whose jobs are given up if their follow-up is lost; who enqueues tells `_follow_ups`."""

    def __init__(self, middleware: list[dramatiq.Middleware] | None = None) -> None:
        super().__init__(middleware)
        self._follow_ups = FollowUps()

    def emit_after(self, signal: str, *args: Any, **kwargs: Any) -> None:
        """Emit a signal as dramatiq does, unless something would be lost by that.

        A job that another worker runs instead was not skipped: the Results middleware would store None for
        it. A job whose follow-up could not be sent becomes a dead letter, see :class:`FollowUps`.
        """
        if signal == "skip_message" and isinstance(args[0], TakenMessage) and args[0].handed_back:
            return
        if signal != "process_message":
            super().emit_after(signal, *args, **kwargs)
            return
        self._follow_ups.begin(args[0])
        try:
            super().emit_after(signal, *args, **kwargs)
        finally:
            self._follow_ups.end(failed=kwargs.get("exception") is not None)

    def _goes_on_after(self, interrupt: Interrupt, signal: str, kwargs: Mapping[str, Any]) -> bool:
        """Whether dramatiq's worker thread would end by an interrupt: it catches none once a job has failed.

        The hooks that still run take the job's time limit off. Whether a follow-up was sent is not known:
        the job becomes a dead letter, which may repeat it, but loses nothing.
        """
        if signal == "skip_message":
            return True
        if signal != "process_message" or kwargs.get("exception") is None:
            return False
        self._follow_ups.lost(interrupt)
        return True
