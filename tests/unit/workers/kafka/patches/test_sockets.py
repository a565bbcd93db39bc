"""Parts of kafka-python that are mended, without a Kafka."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from types import coroutine
from typing import Any

from workers.kafka import mended


class Net:
    """An event loop whose sockets are never ready."""

    @staticmethod
    @coroutine
    def wait_write(_sock: socket.socket, **_options: Any) -> Iterator[None]:
        yield


def test_a_connection_that_is_given_up_leaves_no_socket_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as sock:
        sock.setblocking(False)
        connecting = mended.KafkaNetSocket().sock_connect(Net, sock, server.getsockname())  # type: ignore[attr-defined]
        connecting.send(None)
        assert sock.fileno() >= 0
        connecting.close()
        assert sock.fileno() == -1
