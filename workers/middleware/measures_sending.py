"""Counts the jobs that this process sends."""

from __future__ import annotations

from typing import Any

import dramatiq

from ..measures.sends import SENDS


class MeasuresSending(dramatiq.Middleware):
    """Counts each job that was sent; how long that takes is measured where it is waited for."""

    def after_enqueue(self, broker: dramatiq.Broker, message: dramatiq.Message[Any], delay: int) -> None:  # noqa: ARG002
        SENDS.add(message.queue_name, message.actor_name)
