"""Sockets of connections that do not come about are closed; those of other clients are left alone."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator
from types import SimpleNamespace, coroutine
from typing import Any, Self

import kafka.errors
import pytest
from kafka.net.inet import KafkaNetSocket
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector

from workers.kafka.patches import sockets
from workers.kafka.patches.sockets import SSL_LEAVES_OPEN, ClosedOnFailure, ConnectionManager


class Net:
    """An event loop whose sockets are never ready."""

    @staticmethod
    @coroutine
    def wait_write(_sock: socket.socket, **_options: Any) -> Iterator[None]:
        yield


upstream = pytest.mark.xfail(reason="kafka-python drops the socket, open")


@pytest.mark.parametrize("kind", [ClosedOnFailure, pytest.param(KafkaNetSocket, marks=upstream)])
def test_a_connection_that_is_given_up_leaves_no_socket_open(kind: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as sock:
        sock.setblocking(False)
        connecting = kind().sock_connect(Net, sock, server.getsockname())
        connecting.send(None)
        assert sock.fileno() >= 0
        connecting.close()
        assert sock.fileno() == -1


class _FailingTransport:
    """A transport whose handshake fails."""

    def __init__(self, _net: Any, sock: socket.socket, host: str) -> None:
        assert host == "127.0.0.1"
        self._sock = sock
        made.append(sock)

    async def handshake(self) -> None:
        raise ValueError("not today")


made: list[socket.socket] = []


@pytest.mark.parametrize(
    ("kind", "transport"),
    [
        (ConnectionManager, "workers.kafka.patches.sockets.PromptTransport"),
        pytest.param(KafkaConnectionManager, "kafka.net.manager.KafkaTCPTransport", marks=upstream),
    ],
)
def test_a_failed_handshake_leaves_no_socket_open(
    kind: Any, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, _FailingTransport)
    net = NetworkSelector()
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
        node = SimpleNamespace(host=host, port=port)
        try:
            with pytest.raises(kafka.errors.KafkaConnectionError, match="Handshake failed: not today"):
                net.run(kind(net)._build_transport, node)
            assert made[-1].fileno() == -1
        finally:
            made.pop().close()
            net.close()


@pytest.fixture
def sockets_of_tls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[ssl.SSLSocket]]:
    """All that are made, whoever has them in the end."""
    made: list[ssl.SSLSocket] = []

    class Kept(ssl.SSLSocket):
        def __new__(cls, *args: Any, **options: Any) -> Self:
            one = super().__new__(cls, *args, **options)
            made.append(one)
            return one

    monkeypatch.setattr(ssl.SSLContext, "sslsocket_class", Kept)
    yield made
    for one in made:
        one.close()


of_python = pytest.mark.xfail(
    SSL_LEAVES_OPEN, reason="Python's ssl drops the socket, open", raises=AssertionError
)


@pytest.mark.parametrize("kind", [ConnectionManager, pytest.param(KafkaConnectionManager, marks=of_python)])
def test_a_connection_that_is_lost_before_tls_begins_leaves_no_socket_open(
    kind: Any, sockets_of_tls: list[ssl.SSLSocket], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(_net: Any, _host: str, _port: int, *_: Any, **__: Any) -> socket.socket:
        return lost_connection()

    for module in ("kafka.net.manager", "workers.kafka.patches.sockets"):
        monkeypatch.setattr(f"{module}.create_connection", lost)
    net = NetworkSelector()
    try:
        manager = kind(net, security_protocol="SSL")
        with pytest.raises((OSError, kafka.errors.KafkaConnectionError), match="reset by peer"):
            net.run(manager._build_transport, SimpleNamespace(host="localhost", port=1))
        assert [one.fileno() for one in sockets_of_tls] == [-1]
    finally:
        net.close()


def lost_connection() -> socket.socket:
    """The end of a connection that the other has reset."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
        at_once = struct.pack("ii", 1, 0)
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        theirs.close()
    ours.setblocking(False)
    return ours


def test_clients_of_others_are_untouched() -> None:
    assert KafkaNetSocket.sock_connect.__module__ == "kafka.net.inet"
    net = NetworkSelector()
    try:
        theirs, ours = (
            KafkaConnectionManager(net).config["proxy_url"],
            ConnectionManager(net).config["proxy_url"],
        )
        assert type(KafkaNetSocket(theirs)) is KafkaNetSocket
        assert type(KafkaNetSocket(ours)) is ClosedOnFailure
        assert (
            ConnectionManager(net, proxy_url="socks5://proxy:1080").config["proxy_url"]
            == "socks5://proxy:1080"
        )
    finally:
        net.close()
    assert sockets._SCHEME not in ("http", "https", "socks5", "socks5h")
