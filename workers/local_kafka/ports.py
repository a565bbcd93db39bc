"""Finds ports of this machine that a local Kafka can listen on."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Collection

from ..errors import LocalKafkaError
from .config import Ports

#: Another process can take a free port before Kafka has it.
_TRIES = 5


class PortTaken(LocalKafkaError):
    """A port that cannot be used."""

    def __init__(self, port: int) -> None:
        super().__init__(
            f"Port {port} of 127.0.0.1 is in use or not allowed; choose another, or 0 for a free one"
        )
        self.port = port


def free_ports(chosen: int | None) -> Ports:
    """Ports that are free now, the first one ``chosen`` if that is given. Raises PortTaken."""
    sockets = [socket.socket(), socket.socket(), socket.socket()]
    try:
        for sock, port in zip(sockets, (chosen or 0, 0, 0), strict=True):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", port))
            except OSError as exc:
                if exc.errno in (errno.EADDRINUSE, errno.EACCES):
                    raise PortTaken(port) from exc
                raise
        return Ports(*(sock.getsockname()[1] for sock in sockets))
    finally:
        for sock in sockets:
            sock.close()


def start_on_free_ports(
    start: Callable[[], object], end: Callable[[], object], chosen: Collection[int | None]
) -> None:
    """Call ``start``, and again after ``end`` if another process was faster to take a port.

    Raises PortTaken at last, and at once for a port that is ``chosen``; and whatever ``start`` raises.
    """
    for left in reversed(range(_TRIES)):
        try:
            start()
        except PortTaken as exc:
            if not left or exc.port in chosen:
                raise
            end()
        else:
            return
