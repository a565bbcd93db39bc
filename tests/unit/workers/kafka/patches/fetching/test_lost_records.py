"""Where reading goes on when a position is in the log no more, or the log is of another topic."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from kafka import TopicPartition
from kafka.consumer.subscription_state import SubscriptionState
from kafka.errors import OffsetOutOfRangeError
from kafka.structs import OffsetAndMetadata

from workers.kafka.patches.fetching.lost_records import LostRecordsFetcher

PARTITION = TopicPartition("jobs", 0)
#: What the metadata say while there is no such topic.
NO_TOPIC = UUID(int=0)


class World:
    """A broker whose log ends at 2, and a consumer that has read up to offset 10."""

    def __init__(self, *, epoch: int = 0, leader_epoch: int = 1) -> None:
        self.topic_id: UUID | None = uuid4()
        #: What the broker knows and the consumer's metadata do not, until they are asked for.
        self.newer_id: UUID | None = None
        self.state = SubscriptionState(offset_reset_strategy="earliest")
        self.state.assign_from_user([PARTITION])
        self.state.seek(PARTITION, OffsetAndMetadata(10, "", epoch))
        self.fetcher = LostRecordsFetcher.__new__(LostRecordsFetcher)
        cluster = SimpleNamespace(
            topic_id=lambda _: self.topic_id,
            request_update=lambda: None,
            leader_epoch_for_partition=lambda _: leader_epoch,
        )
        self.fetcher._manager = SimpleNamespace(cluster=cluster, wait_for=self.refresh, send=self.send)
        self.fetcher._subscriptions = self.state
        self.fetcher.config = {"request_timeout_ms": 1000, "retry_backoff_ms": 1}
        self.fetcher.prepare(is_member=True)

    async def refresh(self, *_: object) -> None:
        self.topic_id = self.newer_id or self.topic_id

    async def send(self, *_: object, **__: object) -> Any:
        answer = SimpleNamespace(partition_index=0, partition=0, error_code=0, end_offset=2, leader_epoch=0)
        return SimpleNamespace(topics=[SimpleNamespace(topic="jobs", partitions=[answer])])

    def validate(self) -> None:
        """Find out where the log ends, as a fetch has shown that it is not the one that was read."""
        self.state.request_position_validation(PARTITION)
        position = self.state.assignment[PARTITION].position
        asyncio.run(self.fetcher._send_offset_for_leader_epoch_request(1, {PARTITION: position}))

    def fetch_out_of_range(self) -> None:
        data = SimpleNamespace(error_code=OffsetOutOfRangeError.errno, records=None, high_watermark=2)
        self.fetcher._parse_fetched_data(
            SimpleNamespace(
                topic_partition=PARTITION, partition_data=data, fetched_offset=10, metric_aggregator=None
            )
        )

    @property
    def is_read_from_the_start(self) -> bool:
        return bool(self.state.is_offset_reset_needed(PARTITION))

    @property
    def offset(self) -> int:
        return int(self.state.assignment[PARTITION].position.offset)


def test_a_log_that_has_lost_its_end_is_read_from_where_that_is(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.fetcher.read_new_topics()
    world.fetch_out_of_range()
    assert world.state.is_offset_validation_needed(PARTITION)
    world.validate()
    assert not world.is_read_from_the_start
    assert world.offset == 2
    assert "goes on at 2" in caplog.text


def test_a_topic_that_was_made_again_is_read_from_its_start(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.fetcher.read_new_topics()
    world.newer_id = uuid4()
    world.validate()
    assert world.is_read_from_the_start
    world.fetcher._reset_offset_if_needed(PARTITION, None, 0)
    assert world.offset == 0
    assert "reading went on at offset 10 and goes on at 0" in caplog.text
    world.fetcher.read_new_topics()
    assert not world.is_read_from_the_start


def test_a_log_that_is_shorter_without_a_new_leader_is_another_one(caplog: pytest.LogCaptureFixture) -> None:
    """A consumer that begins knows the offset of the commit, and not the id of its topic."""
    world = World(epoch=0, leader_epoch=0)
    world.validate()
    assert world.is_read_from_the_start
    world.fetcher._reset_offset_if_needed(PARTITION, None, 0)
    assert world.offset == 0
    assert "reading went on at offset 10 and goes on at 0" in caplog.text


def test_metadata_alone_tell_a_topic_that_was_made_again() -> None:
    world = World()
    world.fetcher.read_new_topics()
    world.topic_id = uuid4()
    world.fetcher.read_new_topics()
    assert world.is_read_from_the_start


@pytest.mark.parametrize("nothing", [NO_TOPIC, None])
def test_a_topic_that_is_away_for_a_while_is_no_other_one(nothing: UUID | None) -> None:
    world = World()
    world.fetcher.read_new_topics()
    known, world.topic_id = world.topic_id, nothing
    world.fetcher.read_new_topics()
    world.topic_id = known
    world.fetcher.read_new_topics()
    assert not world.is_read_from_the_start


def test_a_position_of_no_epoch_or_that_is_out_again_is_given_up() -> None:
    unknown = World(epoch=-1)
    unknown.fetch_out_of_range()
    assert unknown.is_read_from_the_start
    world = World()
    world.fetch_out_of_range()
    world.fetch_out_of_range()  # it came while the end was asked for
    assert not world.is_read_from_the_start
    world.state.complete_validation(PARTITION)
    world.fetch_out_of_range()
    assert world.is_read_from_the_start
