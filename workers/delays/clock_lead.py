"""Measures how far a mover's clock is ahead of the cluster's."""

from __future__ import annotations

import logging
from typing import Any

logger = logging.getLogger(__name__)

#: A lead beyond this is logged.
_MUCH_MS = 60_000


class ClockLead:
    """How far the clock here is ahead of the cluster's, by the last record that went down the tiers.

    One thread notes, any may ask. The first lead of more than a minute is logged.
    """

    def __init__(self) -> None:
        #: In milliseconds; 0 if it is not ahead, and before anything is known.
        self.ms = 0
        self._has_warned = False

    def note(self, sent_ms: int, written: Any) -> None:
        """Learn from a record that was sent at ``sent_ms``, and from the ``timestamp`` that it got."""
        # It was stamped after it was sent: a slow answer makes the lead too small, never too large.
        self.ms = max(0, sent_ms - written.timestamp)
        if self.ms > _MUCH_MS and not self._has_warned:
            self._has_warned = True
            logger.warning(
                "clock ahead of Kafka's seconds=%d, delayed jobs come early by as much and fill the memory; "
                "set this machine's clock, as by NTP",
                self.ms // 1000,
            )
