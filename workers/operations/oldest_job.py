"""Finds the oldest of the jobs of a queue that are not done. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..kafka import TopicPartition
from ..partitions.lag import Partition
from ..records.consumed import ConsumedRecord, age_s
from ..records.headers import texts_of


@dataclass(frozen=True, slots=True)
class OldestJob:
    """The first job of a partition that is not done: the one that holds its position back."""

    topic: str
    partition: int
    offset: int
    message_id: str | None
    actor: str | None
    #: None if its record has no time.
    age_s: float | None
    #: Whether a worker has it; otherwise it waits.
    in_hand: bool


def oldest_job(
    undone: Sequence[ConsumedRecord],
    busy: Mapping[TopicPartition, Partition],
    now_s: float,
    *,
    has_members: bool,
) -> OldestJob | None:
    """The oldest of the partitions' first undone jobs, by its record's time; one without only if all are.

    ``busy`` are the partitions of the records, ``has_members`` is whether workers read the queue.
    """
    if not undone:
        return None
    record = max(undone, key=lambda candidate: (candidate.timestamp > 0, -candidate.timestamp))
    headers = texts_of(record.headers)
    return OldestJob(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        message_id=headers.get("message-id"),
        actor=headers.get("actor"),
        age_s=age_s(record, now_s),
        in_hand=has_members and busy[TopicPartition(record.topic, record.partition)].in_hand > 0,
    )
