"""A transport writes at once what its socket takes, and closes it when the connection is lost."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from kafka.net.selector import NetworkSelector
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport

from workers.kafka.patches.transport import PromptTransport, TlsTransport

upstream = pytest.mark.xfail(reason="kafka-python waits for a round of its loop", raises=BlockingIOError)


@pytest.fixture
def net() -> Iterator[NetworkSelector]:
    made = NetworkSelector()
    yield made
    made.close()


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        yield ours, theirs


@pytest.mark.parametrize("kind", [PromptTransport, pytest.param(KafkaTCPTransport, marks=upstream)])
def test_a_request_is_on_its_way_at_once(
    kind: Any, net: NetworkSelector, ends: tuple[socket.socket, socket.socket]
) -> None:
    kind(net, ends[0]).write(b"request")
    assert ends[1].recv(100) == b"request"


def test_what_the_socket_does_not_take_follows_in_order(
    net: NetworkSelector, ends: tuple[socket.socket, socket.socket]
) -> None:
    transport = PromptTransport(net, ends[0])
    requests = [bytes([number]) * 300_000 for number in range(5)]
    for request in requests:
        transport.write(request)
    read = b""
    while len(read) < 1_500_000:
        net.poll(timeout_ms=0)
        try:
            read += ends[1].recv(1 << 20)
        except BlockingIOError:
            continue
    assert read == b"".join(requests)


def test_a_socket_that_is_gone_is_handled_by_the_loop(
    net: NetworkSelector, ends: tuple[socket.socket, socket.socket]
) -> None:
    lost: list[Any] = []

    class Protocol:
        connection_lost = staticmethod(lost.append)

    transport = PromptTransport(net, ends[0])
    transport.set_protocol(Protocol)
    ends[1].close()
    transport.write(b"request")
    assert lost == []
    net.poll(timeout_ms=0)
    net.poll(timeout_ms=0)
    assert "Broken pipe" in str(lost)


open_ = pytest.mark.xfail(reason="kafka-python takes it for closed already", raises=AssertionError)


@pytest.mark.parametrize(
    "kind",
    [
        PromptTransport,
        TlsTransport,
        pytest.param(KafkaTCPTransport, marks=open_),
        pytest.param(KafkaSSLTransport, marks=open_),
    ],
)
def test_a_socket_that_is_told_to_close_and_cannot_write_is_closed(
    kind: Any, net: NetworkSelector, ends: tuple[socket.socket, socket.socket]
) -> None:
    transport = kind.__new__(kind)
    KafkaTCPTransport.__init__(transport, net, ends[0])
    transport.write(bytes(10_000_000))
    net.poll(timeout_ms=0)
    transport.close()
    assert ends[0].fileno() >= 0  # until all is written
    ends[1].close()
    for _ in range(3):
        net.poll(timeout_ms=0)
    assert ends[0].fileno() == -1
