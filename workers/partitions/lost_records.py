"""Finds out that a log has lost its end, by an unclean leader change for example, or was made again.

New records then take the offsets of those that are gone. What is known of such an offset must not count for
the new record: a running consumer begins anew, and one that takes a partition over forgets what its commit
says of offsets that the log has lost. A commit has the epoch of the leader that wrote the last record it
knows of, by which Kafka says how far the log was kept.
"""

from __future__ import annotations

import logging

from ..errors import LogWentBack
from ..kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition, end_of_epoch
from . import commit_metadata
from .owned_partition import OwnedPartition

logger = logging.getLogger(__name__)


def require_risen(owned: OwnedPartition, offset: int) -> None:
    """Raise LogWentBack if the log goes on at an offset that was received before."""
    lost = owned.ledger.next_offset - offset
    if lost > 0:
        topic, partition = owned.partition
        raise LogWentBack(
            f"the log of {topic}/{partition} went back from offset {owned.ledger.next_offset} to {offset}: "
            f"{lost} records that were read are gone from it; the consumer begins anew"
        )


def inherited(client: KafkaConsumer, partition: TopicPartition, first_offset: int) -> OffsetAndMetadata:
    """The group's commit, without what it says of offsets whose records the log has lost since.

    ``first_offset`` is that of the first record that came.
    """
    committed: OffsetAndMetadata | None = client.committed(partition, metadata=True)
    # The log starts later if the committed position was trimmed, or if there is none.
    if committed is None or committed.offset > first_offset or committed.offset < 0:
        return OffsetAndMetadata(first_offset, "", -1)
    progress = commit_metadata.decode(committed.offset, committed.metadata)
    if progress.end == committed.offset:
        return committed
    kept_to = end_of_epoch(client, partition, committed.leader_epoch)
    if kept_to is None or kept_to >= progress.end:
        return committed
    logger.warning(
        "%d records that were read are gone: the log has lost its end topic=%s partition=%d; "
        "what was done above offset %d is done again",
        progress.end - kept_to,
        *partition,
        committed.offset,
    )
    return OffsetAndMetadata(committed.offset, "", committed.leader_epoch)
