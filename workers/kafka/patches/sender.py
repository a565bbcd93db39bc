"""Records that a producer keeps for ever, neither confirmed nor failed."""

from __future__ import annotations

import logging
import time

from kafka.producer.sender import Sender

logger = logging.getLogger(__name__)

#: Pause between two looks at the oldest record.
_INTERVAL_S = 0.5
#: How much longer than its time-out a record may be held before the producer is given up.
_GRACE_S = 0.5


class EndingSender(Sender):  # type: ignore[misc]
    """Closes its producer, which fails all records, once it holds one for longer than the delivery time-out.

    kafka-python 3.0.12 looks for such records only while it has a producer id. It has none while Kafka does
    not answer the request for the first one, and none ever again after a sent record has expired:
    `reset_producer_id` then drops the id and leaves the state in which `init_producer_id` does nothing.
    """

    _look_at = 0.0

    def run_once(self) -> None:
        super().run_once()
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + _INTERVAL_S
        limit_s = self._accumulator.delivery_timeout_ms / 1000 + _GRACE_S
        if any(now - batch.created > limit_s for batch in self._accumulator._incomplete.all()):
            logger.warning("producer holds records beyond their time-out, it is closed and replaced")
            self.force_close()
