"""Lets a member of a group end as if its process had been killed."""

from __future__ import annotations

from workers.consumer.queue_consumer import QueueConsumer
from workers.delays.mover import Mover


def dies(member: QueueConsumer | Mover) -> None:
    """Disconnect it with nothing committed; it leaves its group at once, so no session has to run out."""
    member._assignment._forget(list(member._assignment.partitions))
    member._assignment._client.close(autocommit=False)
