"""Names in the log the partitions whose oldest job runs for a long time: nothing is trimmed behind it."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from ..partitions.owned_partition import OwnedPartition
from ..partitions.taken_message import TakenMessage

logger = logging.getLogger(__name__)

#: A partition is named once its oldest job has run for so long, and again each time this has passed.
BLOCKED_AFTER_S = 60.0


class BlockedPartitions:
    """Looks for blocked partitions from time to time. ``now`` is a time of the consumer's clock."""

    def __init__(self, after_s: float, now: float) -> None:
        self._after_s = after_s
        self._look_at = now + after_s

    def look_if_due(self, partitions: Iterable[OwnedPartition], now: float) -> None:
        """Name those that are blocked, if it is time to look."""
        if now < self._look_at:
            return
        self._look_at = now + self._after_s
        for owned in partitions:
            age_s = owned.blocked_for(now)
            job = owned.oldest
            if age_s >= self._after_s and isinstance(job, TakenMessage):
                logger.warning(
                    "partition blocked by a job topic=%s partition=%d offset=%d id=%s actor=%s age_s=%.0f",
                    *owned.partition,
                    job.record.offset,
                    job.message_id,
                    job.actor_name,
                    age_s,
                )
