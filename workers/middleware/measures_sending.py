"""Measures the jobs that this process sends."""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import Any

import dramatiq

from ..measures.catalogue import ENQUEUE_DURATION, ENQUEUED

#: When the thread or task began to send; a send that fails leaves it, and the next one sets it anew.
_began_at: ContextVar[float] = ContextVar("began_at", default=0.0)


class MeasuresSending(dramatiq.Middleware):
    """Counts the jobs that are sent, and how long that takes."""

    def before_enqueue(self, broker: dramatiq.Broker, message: dramatiq.Message[Any], delay: int) -> None:  # noqa: ARG002
        _began_at.set(time.perf_counter())

    def after_enqueue(self, broker: dramatiq.Broker, message: dramatiq.Message[Any], delay: int) -> None:  # noqa: ARG002
        ENQUEUED.add(message.queue_name, message.actor_name)
        ENQUEUE_DURATION.observe(time.perf_counter() - _began_at.get(), message.queue_name)
