"""A look-up goes by a connection on which nothing is under way."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector
from kafka.protocol.consumer import HeartbeatRequest, JoinGroupRequest
from kafka.protocol.metadata import MetadataResponse

from workers.kafka.patches.free_connection import ConnectionManager

upstream = pytest.mark.xfail(reason="kafka-python asks behind the request for records")


def connection(*under_way: str, is_open: bool = True) -> Any:
    return SimpleNamespace(connected=is_open, paused=set(), in_flight_requests=list(under_way))


@pytest.fixture
def manager(request: pytest.FixtureRequest) -> Iterator[Any]:
    net = NetworkSelector()
    made = request.param(net)
    made.cluster._brokers = {1: SimpleNamespace(node_id=1)}
    yield made
    net.close()


@pytest.mark.parametrize(
    "manager", [ConnectionManager, pytest.param(KafkaConnectionManager, marks=upstream)], indirect=True
)
def test_it_asks_beside_a_request_for_records(manager: Any) -> None:
    manager._conns = {1: connection("fetch"), "coordinator-1": connection()}
    assert manager.least_loaded_node() == "coordinator-1"


@pytest.mark.parametrize("manager", [ConnectionManager], indirect=True)
@pytest.mark.parametrize(
    "others",
    [
        {},
        {"coordinator-1": connection("join")},
        {"bootstrap-0": connection()},
        {2: connection(is_open=False)},
        {"join-coordinator-1": connection()},
    ],
)
def test_else_it_asks_as_ever(manager: Any, others: dict[Any, Any]) -> None:
    manager._conns = {1: connection("fetch"), **others}
    assert manager.least_loaded_node() == 1


@pytest.mark.parametrize("manager", [ConnectionManager], indirect=True)
def test_a_join_has_a_connection_of_its_own_for_as_long_as_it_lasts(manager: Any) -> None:
    broker = MetadataResponse.MetadataResponseBroker("coordinator-1", "127.0.0.1", 1, None)
    manager.cluster._coordinator_brokers = {"coordinator-1": broker}
    for request in (HeartbeatRequest(), JoinGroupRequest()):
        manager.joins_apart = True
        manager.send(request, "coordinator-1")
    assert set(manager._conns) == {"coordinator-1", "join-coordinator-1"}
    manager.close_apart()
    assert set(manager._conns) == {"coordinator-1"}
    manager.joins_apart = False
    manager.send(JoinGroupRequest(), "coordinator-1")
    assert set(manager._conns) == {"coordinator-1"}
