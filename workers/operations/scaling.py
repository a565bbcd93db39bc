"""Says how many jobs of a queue more workers could start: what an autoscaler should look at."""

from __future__ import annotations

import time
from collections.abc import Collection

from ..broker.kafka_broker import KafkaBroker
from ..errors import NotAuthorized, TopicsMissing
from .queue_status import QueueStatus


def startable(queue: QueueStatus, paused: Collection[str]) -> int:
    """The jobs of a queue that wait only for a free thread; none of a queue that is paused."""
    return 0 if queue.queue in paused else max(0, queue.waiting - queue.held_up)


def paused_queues(broker: KafkaBroker) -> Collection[str]:
    """The queues that are paused now; none where this user may not know. Raises KafkaUnreachable."""
    try:
        return broker.controls.state().paused(time.time() * 1000).keys()
    except (NotAuthorized, TopicsMissing):
        return ()
