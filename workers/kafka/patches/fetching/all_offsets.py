"""A look-up of offsets that leaves out the partitions whose leader is not known just then."""

from __future__ import annotations

from typing import Any

from kafka.consumer.fetcher import Fetcher


class AllOffsetsFetcher(Fetcher):  # type: ignore[misc]
    """Looks up the offsets of all partitions that were asked for, or raises KafkaTimeoutError.

    kafka-python 3.0.12 asks the leaders that it knows and returns what they say. Partitions without a leader
    are left out: ``beginning_offsets`` and ``end_offsets`` then raise KeyError, and ``offsets_for_times``
    says that there are no younger records. It looks for leaders and asks again only if it knows none at all.
    """

    async def _send_list_offsets_requests(self, timestamps: Any) -> Any:
        leader_of = self._manager.cluster.leader_for_partition
        unasked = {one for one in timestamps if leader_of(one) in {None, -1}}
        offsets, retried = await super()._send_list_offsets_requests(timestamps)
        return offsets, retried | unasked
