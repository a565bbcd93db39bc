"""Keeps jobs of a revoked partition from running in this process."""

from __future__ import annotations

import dramatiq
from dramatiq.middleware import SkipMessage

from ..partitions.taken_message import TakenMessage


class RevocationGuard(dramatiq.Middleware):
    """Skips a job whose partition was revoked while the job waited here: the next owner runs it."""

    def before_process_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:  # noqa: ARG002
        if isinstance(message, TakenMessage) and not message.start():
            raise SkipMessage("the job's partition was taken away before it started")
