"""A log that has lost its end under a consumer: nobody is told, and new records are passed over."""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

import kafka.errors
from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata

from ..commits import CommittingCoordinator
from .damaged_logs import DamagedLogFetcher

logger = logging.getLogger(__name__)


class LostRecordsFetcher(DamagedLogFetcher):
    """Goes on where the log that is left ends, and says how many records are gone.

    kafka-python 3.0.12 says nothing of what it finds, and reads the whole log again if a position is not in
    it. Where the log ended can be found out by the epoch of the leader that wrote what was read. Only if that
    is not known, or the topic was made again, the log is read from its beginning: the epochs of another topic
    say nothing. A topic was made again if it has another id, or a log that is shorter in the same epoch: only
    a change of leader takes its end from a log, and begins an epoch.
    """

    #: The positions that were found not to be in the log.
    out_of_range: dict[TopicPartition, int]
    #: The topics that the positions are of: one that is made again has another id.
    topic_ids: dict[TopicPartition, UUID]

    def prepare(self, *, is_member: bool) -> None:
        super().prepare(is_member=is_member)
        self.out_of_range = {}
        self.topic_ids = {}

    def _parse_fetched_data(self, completed: Any) -> Any:
        partition, data = completed.topic_partition, completed.partition_data
        if data.records:
            self.out_of_range.pop(partition, None)
        is_out_of_range = data.error_code == kafka.errors.OffsetOutOfRangeError.errno
        if is_out_of_range and self._looks_where_it_ends(partition, completed.fetched_offset):
            return None
        return super()._parse_fetched_data(completed)

    def _looks_where_it_ends(self, partition: TopicPartition, offset: int) -> bool:
        """Ask for the end of what is left, unless that was done; False if its beginning must be read."""
        state = self._subscriptions.assignment.get(partition)
        if state is None or state.position is None or state.position.offset != offset:
            return False
        if self.out_of_range.get(partition) == offset:
            is_asking: bool = state.awaiting_validation
            return is_asking
        self.out_of_range[partition] = offset
        asks: bool = self._subscriptions.request_position_validation(partition)
        return asks

    def read_new_topics(self) -> None:
        """Read the partitions from their beginning whose topics were made again, as the metadata say."""
        assigned = self._subscriptions.assignment
        self.topic_ids = {one: known for one, known in self.topic_ids.items() if one in assigned}
        for partition, state in list(assigned.items()):
            found = self._manager.cluster.topic_id(partition.topic)
            if not found or not found.int or state.position is None:  # there is none while it is deleted
                continue
            if self.topic_ids.setdefault(partition, found) != found:
                self.topic_ids[partition] = found
                self.out_of_range[partition] = state.position.offset
                self._subscriptions.request_offset_reset(partition)

    async def _send_offset_for_leader_epoch_request(self, node: int, positions: dict[Any, Any]) -> Any:
        """Ask for the ends of the epochs, but only in logs of the topics that were read."""
        refreshed = self._manager.cluster.request_update()
        await self._manager.wait_for(refreshed, self.config["request_timeout_ms"])
        self.read_new_topics()
        same = {
            partition: position
            for partition, position in positions.items()
            if self._subscriptions.is_offset_validation_needed(partition)
        }
        return await super()._send_offset_for_leader_epoch_request(node, same) if same else {}

    def _reset_offset_if_needed(self, partition: TopicPartition, timestamp: Any, offset: int) -> None:
        if partition in self.out_of_range:
            self._tell(partition, self.out_of_range.pop(partition), offset)
        super()._reset_offset_if_needed(partition, timestamp, offset)

    def _handle_offset_for_leader_epoch_response(self, response: Any, requested: Any) -> Any:
        found = super()._handle_offset_for_leader_epoch_response(response, requested)
        for partition, before in requested.items():
            state = self._subscriptions.assignment.get(partition)
            if state is None or state.position is None or state.position.offset >= before.offset:
                continue
            if self._manager.cluster.leader_epoch_for_partition(partition) == before.leader_epoch:
                self.out_of_range[partition] = before.offset
                self._subscriptions.request_offset_reset(partition)
            else:
                self._tell(partition, before.offset, state.position.offset)
        return found

    def _tell(self, partition: TopicPartition, position: int, offset: int) -> None:
        if not self.is_member or position == offset:
            return
        what = "records were deleted unread"
        if position > offset:
            what = "records that were read are gone, or read again: the log has lost its end, or is new"
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
