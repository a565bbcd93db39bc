"""Keeps jobs of a partition that was taken away from running here."""

from __future__ import annotations

import dramatiq
from dramatiq.middleware import SkipMessage

from ..partitions.owned_partition import TakenMessage


class RevocationGuard(dramatiq.Middleware):
    """Skips jobs that wait in this process while their partition is taken away: its next owner runs them."""

    def before_process_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:  # noqa: ARG002
        if isinstance(message, TakenMessage) and not message.start():
            raise SkipMessage("the job's partition was taken away before it started")
