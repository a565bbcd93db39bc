"""How long a producer waits for a broker that is away."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from kafka.net.compat import KafkaNetClient

from workers.kafka.patches.net_client import NetClient

upstream = pytest.mark.xfail(
    reason="kafka-python means seconds, and 0 while it connects", raises=AssertionError
)


def client_of(kind: Any, *, delay_s: float, disconnected: bool) -> Any:
    client = kind.__new__(kind)
    client._manager = SimpleNamespace(connection_delay=lambda _: delay_s)
    client.is_disconnected = lambda _: disconnected
    return client


@pytest.mark.parametrize("kind", [NetClient, pytest.param(KafkaNetClient, marks=upstream)])
@pytest.mark.parametrize(("delay_s", "disconnected", "wait_ms"), [(0.5, True, 500), (0, False, 100)])
def test_the_wait_for_a_broker_that_is_away_is_in_milliseconds(
    kind: Any, delay_s: float, disconnected: bool, wait_ms: float
) -> None:
    assert client_of(kind, delay_s=delay_s, disconnected=disconnected).connection_delay(1) == wait_ms


def test_a_broker_that_may_be_connected_to_is_not_waited_for() -> None:
    assert client_of(NetClient, delay_s=0, disconnected=True).connection_delay(1) == 0
