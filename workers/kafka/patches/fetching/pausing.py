"""A paused partition that stays silent once it is resumed."""

from __future__ import annotations

from typing import Any

from .all_offsets import AllOffsetsFetcher
from .wanted_records import FindWanted


class PausingFetcher(AllOffsetsFetcher):
    """Hands out what it has laid aside of a paused partition, once that is resumed.

    kafka-python 3.0.12 lays the records that it is handing out aside if their partition is paused
    (dpkp/kafka-python#2981), and takes them up again only while it has no others in hand. Records of another
    partition count as in hand even when all of them were handed out; and it fetches nothing of a partition
    while it has records of it. So such a partition could stay silent for ever.
    """

    #: Finds the records that are wanted; None: all are.
    find_wanted: FindWanted | None = None
    _next_partition_records: Any

    def fetched_records(self, *args: Any, **options: Any) -> Any:
        in_hand = self._next_partition_records
        if not in_hand:
            self._next_partition_records = None
        elif not all(map(self._subscriptions.is_paused, self._paused_partition_records)):
            # Its turn comes again, after those that were laid aside before.
            self._paused_partition_records[in_hand.topic_partition] = in_hand
            self._next_partition_records = None
        return super().fetched_records(*args, **options)

    def _parse_fetched_data(self, completed: Any) -> Any:
        """Tell the reader which records are wanted, and the end of the log, which kafka-python does not."""
        parsed = super()._parse_fetched_data(completed)
        if parsed is not None:
            parsed.log_end = completed.partition_data.high_watermark
            parsed.find_wanted = self.find_wanted
        return parsed
