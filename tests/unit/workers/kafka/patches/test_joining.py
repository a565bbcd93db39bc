"""A poll does not wait for a join that is under way, and takes its answer whenever that came."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.coordinator.base import Generation, MemberState
from kafka.coordinator.consumer import ConsumerCoordinator
from kafka.future import Future

from workers.kafka.patches.joining import JoiningCoordinator

upstream = pytest.mark.xfail(reason="kafka-python waits, and joins again", raises=AssertionError)
KINDS = [JoiningCoordinator, pytest.param(ConsumerCoordinator, marks=upstream)]
MEMBER = Generation(4, "me", "cooperative-sticky")


class World:
    """A Kafka that notes by which node a member asks to join; the answer never comes."""

    def __init__(self) -> None:
        self.joins: list[object] = []

    async def send(self, _request: Any, node_id: object, **_: object) -> Any:
        self.joins.append(node_id)
        raise asyncio.CancelledError


def member_of(kind: Any, world: World, generation: Generation = MEMBER) -> Any:
    """A member with a partition, which has asked to join anew."""
    made = kind.__new__(kind)
    timeouts = dict.fromkeys(("session_timeout_ms", "max_poll_interval_ms", "request_timeout_ms"), 1)
    made.config = timeouts | {"group_id": "g", "group_instance_id": None, "api_version": (4, 0)}
    made.config["enable_auto_commit"] = False
    made.coordinator_id, made._lock, made._async_commit_fenced = "coordinator-3", nullcontext(), False
    made._client = SimpleNamespace(is_disconnected=lambda _: False, connected=lambda _: True)
    made._manager = SimpleNamespace(send=world.send, close_apart=lambda: None)
    made._subscription = SimpleNamespace(
        partitions_auto_assigned=lambda: True,
        assigned_partitions=lambda: {TopicPartition("jobs", 0)},
        subscribed_pattern=None,
    )
    made._generation, made.state, made._join_task = generation, MemberState.REBALANCING, Future()
    made.completed_offset_commits, made.group_protocols = [], list
    made.need_rejoin, made.poll_heartbeat = lambda: True, lambda: None
    made.ensure_coordinator_ready = lambda **_: True
    made.ensure_active_group = lambda **_: False  # the time is up
    made._works_on = True
    made.close = lambda *_, **__: None  # its finalizer calls it
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_with_partitions_is_polled_while_its_join_waits_for_others(kind: Any) -> None:
    assert member_of(kind, World()).poll(timeout_ms=10_000)


def test_a_member_waits_for_its_first_join() -> None:
    member = member_of(JoiningCoordinator, World(), Generation(-1, "", None))
    member._works_on = False
    assert not member.poll(timeout_ms=10_000)


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_that_comes_between_two_polls_is_taken(kind: Any) -> None:
    world = World()
    member = member_of(kind, world)
    member._join_task.success(b"assignment")
    taken = []

    async def take() -> None:
        try:
            taken.append(await member._do_join_and_sync_async())
        except asyncio.CancelledError:
            assert world.joins == [], "it joins again"

    member.ensure_active_group = lambda **_: asyncio.run(take())
    member.poll(timeout_ms=0)
    assert taken == [b"assignment"]


def test_an_answer_is_dropped_if_the_member_was_put_out_since() -> None:
    world = World()
    member = member_of(JoiningCoordinator, world)
    member._answer, member.state = Future().success(b"assignment"), MemberState.UNJOINED
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(member._do_join_and_sync_async())
    assert world.joins == ["coordinator-3"]
