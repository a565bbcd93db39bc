"""A log that has lost its end under a consumer: nobody is told, and new records are passed over."""

from __future__ import annotations

import logging
from typing import Any

import kafka.errors
from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata

from .commits import CommittingCoordinator
from .damaged_logs import DamagedLogFetcher

logger = logging.getLogger(__name__)

#: In place of the age of the metadata: the end of the log was asked for.
_ASKED = -1.0


class LostRecordsFetcher(DamagedLogFetcher):
    """Goes on where the log that is left ends, and says how many records are gone.

    kafka-python 3.0.12 says nothing of what it finds, and reads the whole log again if a position is not in
    it. Where the log ended can be found out by the epoch of the leader that wrote what was read. Only if that
    is not known, or the topic was made again, the log is read from its beginning.
    """

    #: The positions that were found not to be in the log, and how fresh the metadata was then.
    out_of_range: dict[TopicPartition, tuple[int, float]]
    #: The topics that records came from: one that is made again has another id.
    topic_ids: dict[TopicPartition, Any]

    def _parse_fetched_data(self, completed: Any) -> Any:
        partition, data = completed.topic_partition, completed.partition_data
        if data.records:
            self.topic_ids[partition] = self._manager.cluster.topic_id(partition.topic)
        is_out_of_range = data.error_code == kafka.errors.OffsetOutOfRangeError.errno
        if is_out_of_range and self._looks_where_it_ends(partition, completed.fetched_offset):
            return None
        return super()._parse_fetched_data(completed)

    def _looks_where_it_ends(self, partition: TopicPartition, offset: int) -> bool:
        """Ask for the end of what is left, unless that was done; False if its beginning must be read."""
        cluster = self._manager.cluster
        state = self._subscriptions.assignment.get(partition)
        if state is None or state.position is None or state.position.offset != offset:
            return False
        found, refreshed_at = self.out_of_range.get(partition, (None, 0.0))
        if found != offset:
            # The metadata first: they tell a topic that was made again, of which an epoch says nothing.
            self.out_of_range[partition] = offset, cluster._last_successful_refresh_ms
            cluster.request_update()
            return True
        if refreshed_at == cluster._last_successful_refresh_ms:
            return True
        known = self.topic_ids.get(partition)
        if refreshed_at == _ASKED or (known is not None and known != cluster.topic_id(partition.topic)):
            return False
        self.out_of_range[partition] = offset, _ASKED
        asks: bool = self._subscriptions.request_position_validation(partition)
        return asks

    def _reset_offset_if_needed(self, partition: TopicPartition, timestamp: Any, offset: int) -> None:
        if partition in self.out_of_range:
            self._tell(partition, self.out_of_range.pop(partition)[0], offset)
        super()._reset_offset_if_needed(partition, timestamp, offset)

    def _handle_offset_for_leader_epoch_response(self, response: Any, requested: Any) -> Any:
        found = super()._handle_offset_for_leader_epoch_response(response, requested)
        for partition, before in requested.items():
            state = self._subscriptions.assignment.get(partition)
            if state is not None and state.position is not None and state.position.offset < before.offset:
                self._tell(partition, before.offset, state.position.offset)
        return found

    def _tell(self, partition: TopicPartition, position: int, offset: int) -> None:
        if not self.is_member or position == offset:
            return
        what = "records were deleted unread"
        if position > offset:
            what = "records that were read are gone, or read again: the log has lost its end"
        logger.warning(
            "%d %s topic=%s partition=%d, reading went on at offset %d and goes on at %d",
            abs(position - offset),
            what,
            *partition,
            position,
            offset,
        )


class EpochCoordinator(CommittingCoordinator):
    """Begins with the epoch of a commit, and not with its offset alone.

    Without it, kafka-python 3.0.12 cannot find out that the log has lost its end since the commit, and passes
    over the records that took the place of those that are gone.
    """

    async def refresh_committed_offsets_if_needed_async(self, timeout_ms: float | None = None) -> bool:
        missing = set(self._subscription.missing_fetch_positions())
        try:
            offsets = await self.fetch_committed_offsets_async(missing, timeout_ms=timeout_ms)
        except kafka.errors.KafkaTimeoutError:
            return False
        for partition, commit in offsets.items():
            self._subscription.seek(partition, OffsetAndMetadata(commit.offset, "", commit.leader_epoch))
        return True
