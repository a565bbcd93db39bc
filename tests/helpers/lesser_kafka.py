"""A proxy that makes a real Kafka lack parts of its protocol, or refuse them, as managed clusters do."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Collection, Iterator
from typing import Self

from workers import Cluster

API_VERSIONS, DELETE_RECORDS, INIT_PRODUCER_ID = 18, 21, 22
_CLUSTER_AUTHORIZATION_FAILED = 31
#: Requests by the ids that their answers have, with the API's key and version.
_Asked = dict[int, tuple[int, int]]


class LesserKafka:
    """Hands connections on while it is entered; clients meet no other address than its own."""

    def __init__(
        self, cluster: Cluster, *, without: Collection[int] = (), refuses_producers: bool = False
    ) -> None:
        """``without`` are the keys of APIs that are not there. ``refuses_producers``: none gets an id."""
        host, port = cluster.bootstrap_servers[0].split(":")
        self._target = (host, int(port))
        self._without = without
        self._refuses_producers = refuses_producers
        self._listening = socket.create_server(("127.0.0.1", 0))
        here = self._listening.getsockname()[1]
        self._there, self._here = (
            host.encode() + struct.pack(">i", number) for number in (self._target[1], here)
        )
        self.cluster = Cluster((f"127.0.0.1:{here}",))
        self._sockets: list[socket.socket] = [self._listening]
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(30)
        for one in self._sockets:
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(self._target)
                self._sockets += [client, server]
                asked: _Asked = {}
                for target, arguments in (
                    (self._ask, (client, server, asked)),
                    (self._answer, (server, client, asked)),
                ):
                    self._threads.append(threading.Thread(target=target, args=arguments))
                    self._threads[-1].start()

    def _ask(self, client: socket.socket, server: socket.socket, asked: _Asked) -> None:
        for frame in _frames(client, server):
            key, version, number = struct.unpack_from(">hhi", frame)
            asked[number] = key, version
            server.sendall(struct.pack(">i", len(frame)) + frame)

    def _answer(self, server: socket.socket, client: socket.socket, asked: _Asked) -> None:
        for frame in _frames(server, client):
            (number,) = struct.unpack_from(">i", frame)
            key, version = asked.pop(number)
            answer = frame.replace(self._there, self._here)
            if key == API_VERSIONS:
                answer = self._lessened(answer, flexible=version >= 3)
            if key == INIT_PRODUCER_ID and self._refuses_producers:
                at = 4 + (version >= 2) + 4  # behind the number, tags if there are some, and the throttling
                answer = answer[:at] + struct.pack(">h", _CLUSTER_AUTHORIZATION_FAILED) + answer[at + 2 :]
            client.sendall(struct.pack(">i", len(answer)) + answer)

    def _lessened(self, answer: bytes, *, flexible: bool) -> bytes:
        """The answer that tells which APIs there are, without some."""
        start, size = (7, 7) if flexible else (10, 6)
        count = answer[6] - 1 if flexible else struct.unpack_from(">i", answer, 6)[0]
        entries = [answer[start + size * n : start + size * (n + 1)] for n in range(count)]
        kept = [entry for entry in entries if struct.unpack_from(">h", entry)[0] not in self._without]
        told = bytes([len(kept) + 1]) if flexible else struct.pack(">i", len(kept))
        return answer[:6] + told + b"".join(kept) + answer[start + size * count :]


def _frames(source: socket.socket, other: socket.socket) -> Iterator[bytes]:
    """The messages of a connection until it ends; then the other one ends, too."""
    with contextlib.suppress(OSError), source.makefile("rb") as stream:
        while size := stream.read(4):
            yield stream.read(struct.unpack(">i", size)[0])
    with contextlib.suppress(OSError):
        other.shutdown(socket.SHUT_RDWR)
