"""How long a producer waits for a broker that is away."""

from __future__ import annotations

import socket
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from kafka.net.compat import KafkaNetClient
from kafka.net.inet import KafkaNetSocket
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector

from workers.kafka.patches.net_client import NetClient
from workers.kafka.patches.sockets import ConnectionManager
from workers.kafka.patches.transport import PromptTransport

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


closing = pytest.mark.xfail(reason="kafka-python closes where it is called")


@pytest.mark.parametrize(
    ("client", "manager"),
    [(NetClient, ConnectionManager), pytest.param(KafkaNetClient, KafkaConnectionManager, marks=closing)],
)
def test_connections_are_closed_on_the_thread_that_reads_from_them(client: Any, manager: Any) -> None:
    net = NetworkSelector()
    made = client(net=net, manager=manager(net))
    net.start()
    io_thread, closed_by = net._io_thread, []
    made._manager._conns[1] = SimpleNamespace(close=lambda: closed_by.append(threading.current_thread()))
    made.close()
    assert closed_by == [io_thread]


leaking = pytest.mark.xfail(
    reason="kafka-python leaves a socket with something to write", raises=AssertionError
)


@pytest.mark.parametrize(
    ("client", "manager"),
    [(NetClient, ConnectionManager), pytest.param(KafkaNetClient, KafkaConnectionManager, marks=leaking)],
)
def test_a_client_that_is_closed_while_it_connects_leaves_no_socket_open(
    client: Any, manager: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sockets: list[socket.socket] = []
    make = KafkaNetSocket.socket

    def kept(*args: Any) -> socket.socket:
        sockets.append(make(*args))
        return sockets[-1]

    monkeypatch.setattr(KafkaNetSocket, "socket", kept)
    with socket.create_server(("127.0.0.1", 0)) as server:
        for rounds in range(12):
            net = NetworkSelector()
            address = "{}:{}".format(*server.getsockname())
            made = client(net=net, manager=manager(net, bootstrap_servers=[address]))
            made._manager.get_connection("bootstrap-0")
            for _ in range(rounds):
                net.poll(timeout_ms=0)
            made.close()
    left = [one for one in sockets if one.fileno() >= 0]
    for one in left:
        one.close()
    assert sockets
    assert left == []


def test_what_is_still_to_be_written_holds_no_socket_open() -> None:
    net = NetworkSelector()
    made = NetClient(net=net, manager=ConnectionManager(net))
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    transport = PromptTransport(net, ours)
    made._manager._transports.add(transport)
    transport.write(bytes(10_000_000))
    transport.close()
    assert ours.fileno() >= 0
    made.close()
    assert ours.fileno() == -1
    theirs.close()
