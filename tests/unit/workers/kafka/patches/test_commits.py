"""A member that waits for others to join commits in its old generation."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.coordinator.base import Generation, MemberState
from kafka.coordinator.consumer import ConsumerCoordinator
from kafka.errors import (
    CommitFailedError,
    GroupAuthorizationFailedError,
    IllegalGenerationError,
    KafkaError,
    RebalanceInProgressError,
    UnknownMemberIdError,
    UnknownTopicOrPartitionError,
)
from kafka.structs import OffsetAndMetadata

from workers.kafka.patches.commits import CommittingCoordinator

OFFSETS = {TopicPartition("jobs", 0): OffsetAndMetadata(7, "", -1)}
upstream = pytest.mark.xfail(reason="kafka-python refuses by itself", raises=RebalanceInProgressError)


class World:
    """A Kafka that answers a join when it is told to, and each commit with ``code``."""

    def __init__(self, code: int = 0) -> None:
        self.code = code
        self.joined = asyncio.Event()
        self.answer = asyncio.Event()
        self.answer.set()
        self.commits: list[tuple[object, int]] = []

    async def send(self, request: Any, node_id: object, **_: object) -> Any:
        if "JoinGroup" in type(request).__name__:
            await self.joined.wait()
            raise IllegalGenerationError
        self.commits.append((node_id, request.generation_id_or_member_epoch))
        await self.answer.wait()
        return SimpleNamespace(topics=[("jobs", [(0, self.code)])])


def member_of(kind: Any, world: World) -> Any:
    """A member of generation 4."""
    made = kind.__new__(kind)
    made.config = {
        "group_id": "g",
        "group_instance_id": None,
        "api_version": (4, 0),
        "session_timeout_ms": 1,
        "max_poll_interval_ms": 1,
        "request_timeout_ms": 1,
    }
    made.coordinator_id, made._lock, made._consumer_sensors = "coordinator-3", nullcontext(), None
    made._client = SimpleNamespace(is_disconnected=lambda _: False)
    made._manager = SimpleNamespace(send=world.send, close_apart=lambda: None)
    made._subscription = SimpleNamespace(
        partitions_auto_assigned=lambda: True, assigned_partitions=lambda: {*OFFSETS}
    )
    made._generation, made.state = Generation(4, "me", "cooperative-sticky"), MemberState.STABLE
    made.group_protocols = list
    made.close = lambda *_, **__: None  # its finalizer calls it
    return made


async def begin_to_join(member: Any) -> asyncio.Task[Any]:
    task: asyncio.Task[Any] = asyncio.ensure_future(member._do_join_and_sync_async())
    await asyncio.sleep(0)
    assert member.state is MemberState.REBALANCING
    return task


async def let_join(world: World, task: asyncio.Task[Any]) -> None:
    world.joined.set()
    with pytest.raises(IllegalGenerationError):
        await task


@pytest.mark.parametrize("kind", [CommittingCoordinator, pytest.param(ConsumerCoordinator, marks=upstream)])
def test_a_commit_is_sent_while_others_are_waited_for(kind: Any) -> None:
    async def scenario() -> None:
        world = World()
        member = member_of(kind, world)
        task = await begin_to_join(member)
        try:
            await member._send_offset_commit_request(OFFSETS)
        finally:
            await let_join(world, task)
        assert world.commits == [("coordinator-3", 4)]

    asyncio.run(scenario())


def test_a_member_that_does_not_join_commits_as_ever() -> None:
    async def scenario() -> None:
        world = World()
        await member_of(CommittingCoordinator, world)._send_offset_commit_request(OFFSETS)
        assert world.commits == [("coordinator-3", 4)]

    asyncio.run(scenario())


@pytest.mark.parametrize("early", [True, False])
def test_a_commit_for_a_topic_that_is_gone_is_not_tried_again(early: bool) -> None:
    """By then the topic may be made again, and its first records would be passed over."""

    async def scenario() -> None:
        world = World(UnknownTopicOrPartitionError.errno)
        member = member_of(CommittingCoordinator, world)
        member._waits_for_others = lambda: early
        with pytest.raises(CommitFailedError, match="a topic is gone") as raised:
            await member._send_offset_commit_request(OFFSETS)
        assert not getattr(raised.value, "retriable", False)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        (IllegalGenerationError, RebalanceInProgressError),
        (UnknownMemberIdError, RebalanceInProgressError),
        (RebalanceInProgressError, RebalanceInProgressError),
        (GroupAuthorizationFailedError, GroupAuthorizationFailedError),
    ],
)
def test_a_refusal_leaves_the_member_as_it_is(answer: type[KafkaError], raised: type[KafkaError]) -> None:
    """The answer to its join says what it has to do: a new generation may have come already."""

    async def scenario() -> None:
        world = World(answer.errno)
        member = member_of(CommittingCoordinator, world)
        task = await begin_to_join(member)
        with pytest.raises(raised):
            await member._send_offset_commit_request(OFFSETS)
        assert member._generation.generation_id == 4
        assert member.state is MemberState.REBALANCING
        await let_join(world, task)

    asyncio.run(scenario())


@pytest.mark.parametrize("generation", [Generation(5, "me", "cooperative-sticky"), Generation(-1, "", None)])
def test_a_member_whose_join_is_answered_or_that_has_no_generation_does_not_commit(
    generation: Generation,
) -> None:
    async def scenario() -> None:
        world = World()
        member = member_of(CommittingCoordinator, world)
        if generation.is_lost():
            member._generation = generation
        task = await begin_to_join(member)
        member._generation = generation
        with pytest.raises(RebalanceInProgressError):
            await member._send_offset_commit_request(OFFSETS)
        assert world.commits == []
        await let_join(world, task)

    asyncio.run(scenario())


def test_no_commit_overtakes_another() -> None:
    async def scenario() -> None:
        world = World()
        member = member_of(CommittingCoordinator, world)
        world.answer.clear()
        first = asyncio.ensure_future(member._send_offset_commit_request(OFFSETS))
        await asyncio.sleep(0)
        task = await begin_to_join(member)
        second = asyncio.ensure_future(member._send_offset_commit_request(OFFSETS))
        await asyncio.sleep(0)
        assert world.commits == [("coordinator-3", 4)] * 2, "both by one connection, which keeps their order"
        world.answer.set()
        await asyncio.gather(first, second)
        await let_join(world, task)

    asyncio.run(scenario())
