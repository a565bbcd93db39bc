"""A coordinator that is away is asked for with pauses, and its loss told once; what must be is remembered."""

from __future__ import annotations

import asyncio
import logging
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from kafka import TopicPartition
from kafka.coordinator.assignors.abstract import RebalanceProtocol
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.base import Generation
from kafka.coordinator.consumer import ConsumerCoordinator
from kafka.errors import NotCoordinatorError, UnknownMemberIdError
from kafka.protocol.consumer.metadata import ConsumerProtocolAssignment, ConsumerProtocolSubscription

from workers.kafka.patches.assignor import Assignor
from workers.kafka.patches.coordinator import PacedCoordinator

upstream = pytest.mark.xfail(reason="kafka-python asks, and warns, as often as it can", raises=AssertionError)
#: Whatever connected before in this process has calmed it.
pytestmark = pytest.mark.usefixtures("library")
KINDS = [PacedCoordinator, pytest.param(ConsumerCoordinator, marks=upstream)]


class World:
    """A cluster that names node 3, which cannot be reached for half a second."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def send(self, request: object, node_id: int) -> Any:
        return SimpleNamespace(coordinators=[SimpleNamespace(error_code=0)])

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def coordinator_of(kind: Any, world: World) -> Any:
    made = kind.__new__(kind)
    made.config = {"group_id": "g", "group_instance_id": None}
    made.coordinator_id, made._lock, made._sensors = None, nullcontext(), None
    made._client = SimpleNamespace(least_loaded_node=lambda: 1, maybe_connect=lambda _: None)
    made._cluster = SimpleNamespace(add_coordinator=lambda *_: 3)
    made._manager = SimpleNamespace(send=world.send, connection_delay=lambda _: 0.5)
    made._net = SimpleNamespace(sleep=world.sleep)
    made.heartbeat = SimpleNamespace(reset_timeouts=lambda: None)
    made.close = lambda *_, **__: None  # its finalizer calls it
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_it_waits_before_it_asks_again(kind: Any) -> None:
    world = World()
    coordinator = coordinator_of(kind, world)
    assert asyncio.run(coordinator._send_group_coordinator_request()) == 3
    assert world.slept == [0.5]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_loss_is_told_once(kind: Any, caplog: pytest.LogCaptureFixture) -> None:
    coordinator = coordinator_of(kind, World())
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            coordinator.coordinator_id = 3
            coordinator.coordinator_dead("Node Disconnected")
            assert coordinator.coordinator_id is None
        coordinator.coordinator_dead("Node Disconnected")
    assert caplog.text.count("Marking the coordinator dead") == 1


def test_a_loss_is_told_again_once_the_coordinator_was_there(caplog: pytest.LogCaptureFixture) -> None:
    coordinator = coordinator_of(PacedCoordinator, World())
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            coordinator.coordinator_id = 3
            coordinator.coordinator_dead("Node Disconnected")
            coordinator._handle_heartbeat_response(SimpleNamespace(error_code=0), 0.0)
    assert caplog.text.count("Marking the coordinator dead") == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_broker_that_coordinates_no_more_is_not_dead(kind: Any, caplog: pytest.LogCaptureFixture) -> None:
    coordinator = coordinator_of(kind, World())
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            coordinator.coordinator_id = 3
            coordinator.coordinator_dead(NotCoordinatorError())
            assert coordinator.coordinator_id is None
    assert caplog.text == ""


def test_the_search_for_a_coordinator_is_news_if_it_lasts(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("workers.kafka.patches.coordinator.time.monotonic", lambda: now)
    coordinator = coordinator_of(PacedCoordinator, World())
    for expected in (0, 0, 1, 1):
        coordinator.coordinator_id = 3
        coordinator.coordinator_dead(NotCoordinatorError())
        assert caplog.text.count("Marking the coordinator dead") == expected
        now += 2


forgetful = pytest.mark.xfail(reason="kafka-python forgets the join", raises=AssertionError)


@pytest.mark.parametrize("kind", [PacedCoordinator, pytest.param(ConsumerCoordinator, marks=forgetful)])
def test_a_join_is_waited_for_though_the_metadata_that_began_it_is_taken_into_account(kind: Any) -> None:
    coordinator = coordinator_of(kind, World())
    coordinator.config |= {"api_version": (3, 0), "group_id": "g"}
    coordinator._subscription = SimpleNamespace(subscription={"t"}, partitions_auto_assigned=lambda: True)
    coordinator._joined_subscription, coordinator.rejoin_needed = {"t"}, False
    coordinator.rejoining = False
    coordinator._metadata_snapshot, coordinator._assignment_snapshot = {"t": {0}}, {"t": set()}
    assert coordinator.need_rejoin()
    # The join has begun; this member leads the group, and has assigned by the new metadata.
    coordinator.rejoining = True
    coordinator._assignment_snapshot = coordinator._metadata_snapshot
    assert coordinator.need_rejoin()
    coordinator.rejoining = False
    assert not coordinator.need_rejoin()


keeps_claims = pytest.mark.xfail(reason="kafka-python claims what it has lost", raises=AssertionError)


@pytest.mark.parametrize(
    "kind", [Assignor, pytest.param(CooperativeStickyAssignor, marks=keeps_claims)], ids=["ours", "original"]
)
def test_partitions_that_only_members_without_a_session_had_are_dealt_out_at_once(kind: Any) -> None:
    lost, new = kind(), kind()
    owned = ConsumerProtocolAssignment(kind.version, [("jobs", [0, 1, 2, 3])], b"")
    lost.on_assignment(owned, 7)
    coordinator = coordinator_of(PacedCoordinator, World())
    coordinator._assignors = {lost.name: lost}
    coordinator.reset_generation()
    joined = [
        SimpleNamespace(
            member_id=name, metadata=ConsumerProtocolSubscription.decode(assignor.metadata(["jobs"]).encode())
        )
        for name, assignor in (("lost", lost), ("new", new))
    ]
    cluster = SimpleNamespace(topics=lambda: {"jobs"}, partitions_for_topic=lambda _: {0, 1, 2, 3})
    dealt = kind().assign(cluster, joined)
    assert [dict(dealt[name].assigned_partitions) for name in ("lost", "new")] == [
        {"jobs": [0, 1]},
        {"jobs": [2, 3]},
    ]


tells_nothing = pytest.mark.xfail(reason="kafka-python tells no loss during a join", raises=AssertionError)


class Lost:
    """A member with a partition that learns by the answer to its join that it has lost it."""

    def __init__(self, kind: Any) -> None:
        self.happened: list[str] = []
        self.owned = {TopicPartition("jobs", 0)}
        self.coordinator = coordinator = coordinator_of(kind, World())
        coordinator.config |= {"api_version": (4, 0), "enable_auto_commit": False, "retry_backoff_ms": 0}
        coordinator._assignors, coordinator._subscription = {}, self
        coordinator._generation, coordinator._join_task = Generation(4, "me", "cooperative-sticky"), None
        coordinator._rebalance_protocol = RebalanceProtocol.COOPERATIVE
        coordinator.rejoining, coordinator.rejoin_needed = False, True
        coordinator._metadata_snapshot = coordinator._assignment_snapshot = {}
        coordinator._joined_subscription = self.subscription
        coordinator._manager.call_soon, coordinator._manager.wait_for = lambda call: call, self.wait_for
        coordinator._disable_heartbeat = coordinator._enable_heartbeat = lambda: None
        coordinator.ensure_coordinator_ready_async = self.is_ready
        coordinator._do_join_and_sync_async, coordinator._on_join_complete_async = self.join, self.complete
        coordinator._invoke_rebalance_listener_async = self.tell

    subscription: ClassVar = {"jobs"}
    rebalance_listener = True

    async def is_ready(self, **_: object) -> bool:
        return True

    async def wait_for(self, task: Any, _: object) -> bytes:
        answer: bytes = await task()
        return answer

    async def join(self) -> bytes:
        self.happened.append(f"joins with {len(self.owned)}")
        if len(self.happened) == 1:
            unknown = SimpleNamespace(error_code=UnknownMemberIdError.errno)
            self.coordinator._process_join_group_response(unknown, 0.0)
        return b""

    async def complete(self, *_: object) -> None:
        self.happened.append(f"has joined with {len(self.owned)}")

    async def tell(self, what: str, partitions: set[TopicPartition]) -> None:
        assert partitions == self.owned
        self.happened.append(what)

    def partitions_auto_assigned(self) -> bool:
        return True

    def assigned_partitions(self) -> set[TopicPartition]:
        return self.owned

    def assign_from_subscribed(self, partitions: list[TopicPartition]) -> None:
        self.owned = set(partitions)

    def mark_pending_revocation(self, partitions: set[TopicPartition]) -> None:
        pass

    def reset_group_subscription(self) -> None:
        pass


@pytest.mark.parametrize("kind", [PacedCoordinator, pytest.param(ConsumerCoordinator, marks=tells_nothing)])
def test_a_loss_that_shows_in_the_answer_to_a_join_is_told_before_the_next(kind: Any) -> None:
    lost = Lost(kind)
    assert asyncio.run(lost.coordinator.join_group_async())
    assert lost.happened == ["joins with 1", "on_partitions_lost", "joins with 0", "has joined with 0"]
