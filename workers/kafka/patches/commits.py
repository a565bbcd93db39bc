"""Commits that are refused while their member waits for the others to join."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import kafka.errors
from kafka import TopicPartition
from kafka.protocol.consumer import OffsetCommitRequest
from kafka.structs import OffsetAndMetadata

from .joining import JoiningCoordinator

_Topic = OffsetCommitRequest.OffsetCommitRequestTopic
_Partition = _Topic.OffsetCommitRequestPartition
#: Kafka's answers to a commit that comes when all have joined. What the member has to do then, the answer to
#: its join says.
_TOO_LATE = (
    kafka.errors.IllegalGenerationError,
    kafka.errors.RebalanceInProgressError,
    kafka.errors.UnknownMemberIdError,
)


class CommittingCoordinator(JoiningCoordinator):
    """Commits also while a join waits for other members, which may take as long as their jobs.

    Kafka takes commits of the old generation until all have joined. kafka-python 3.0.12 refuses them itself,
    as Java's client does, so a member that leaves meanwhile could not commit what it had done.
    """

    config: dict[str, Any]

    async def _send_offset_commit_request(self, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> Any:
        """Send a commit; it is not sent again if a topic is gone, as one made again must not get it."""
        try:
            if self._waits_for_others():
                return await self._commit_early(offsets)
            return await super()._send_offset_commit_request(offsets)
        except kafka.errors.UnknownTopicOrPartitionError as exc:
            raise kafka.errors.CommitFailedError(f"a topic is gone: {exc}") from exc

    def _waits_for_others(self) -> bool:
        """Whether a join is not answered yet, of a member that was in the group before."""
        left = self._left
        is_unanswered = left is not None and left is self._generation and not left.is_lost()
        return is_unanswered and self.coordinator_id is not None

    async def _commit_early(self, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        request = OffsetCommitRequest(
            max_version=8,
            group_id=self.config["group_id"],
            generation_id_or_member_epoch=self._generation.generation_id,
            member_id=self._generation.member_id,
            group_instance_id=self.config["group_instance_id"],
            topics=_topics(offsets),
        )
        response = await self._manager.send(request, node_id=self.coordinator_id)
        for _, partitions in response.topics:
            for _, code in partitions:
                error = kafka.errors.for_code(code)
                if error in _TOO_LATE:
                    raise kafka.errors.RebalanceInProgressError(error.__name__)
                if error is not kafka.errors.NoError:
                    raise error(self.config["group_id"])


def _topics(offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> list[Any]:
    by_topic: dict[str, list[Any]] = defaultdict(list)
    for (topic, number), offset in offsets.items():
        by_topic[topic].append(
            _Partition(
                partition_index=number,
                committed_offset=offset.offset,
                committed_leader_epoch=offset.leader_epoch,
                committed_metadata=offset.metadata,
            )
        )
    return [_Topic(name=topic, partitions=partitions) for topic, partitions in by_topic.items()]
