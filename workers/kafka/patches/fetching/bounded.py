"""A poll whose records may take any number of bytes."""

from __future__ import annotations

from typing import Any

from kafka import TopicPartition

from .lost_records import LostRecordsFetcher

#: A poll hands out no more records once those that it has take so many bytes.
MAX_POLL_BYTES = 16 * 1024 * 1024
#: How many records are unpacked before the first look at their size, and the factor for the next look.
_FIRST_LOOK = 4
_GROWTH = 4


class BoundedFetcher(LostRecordsFetcher):
    """Hands out as many records as asked for, or fewer once they take too many bytes.

    kafka-python 3.0.12 counts only records, and Kafka checks the size of compressed batches: the 500 records
    of one poll may unpack to 20 MB each. The others stay packed in the batches that were fetched.
    """

    #: Raised by a part of a poll behind others that are handed out first.
    _raised: Exception | None = None

    def fetched_records(self, max_records: int | None = None, update_offsets: bool = True) -> Any:
        """As kafka-python's: the records of each partition, and whether more are at hand."""
        if self._raised is not None:
            error, self._raised = self._raised, None
            raise error
        left = max_records or self.config["max_poll_records"]
        found: dict[TopicPartition, list[Any]] = {}
        look, size, partial = _FIRST_LOOK, 0, False
        while left > 0 and size < MAX_POLL_BYTES:
            asked = min(look, left)
            try:
                more, partial = super().fetched_records(asked, update_offsets)
            except Exception as exc:
                if not found:
                    raise
                self._raised = exc  # the records handed out before it must not be lost
                break
            got = 0
            for partition, records in more.items():
                found.setdefault(partition, []).extend(records)
                got += len(records)
                size += sum([len(record.value or b"") for record in records])  # a list: no call for each
            if got < asked:
                break
            left -= got
            look *= _GROWTH
        return found, partial
