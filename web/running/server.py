"""Runs an application of `web` on uvicorn: its socket, its signals, and how it stops."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import uvicorn
from fastapi import FastAPI

from workers.errors import WorkersError

from ..live.bridge import Bridge
from ..live.connections.at_once import Connection
from ..live.protocol import MAX_FRAME_BYTES
from .http_protocol import HttpProtocol

#: The kernel ends a connection whose client has taken nothing for so long.
_UNTAKEN_MS = 30_000
#: Connections that wait to be accepted: after a restart, all clients come within a few seconds.
_BACKLOG = 4_096
#: How long requests that are not live may go on after the clients were sent away.
_GRACE_S = 5


class CannotListen(WorkersError):
    """The address cannot be listened on; see WEB_HOST, WEB_PORT and WEB_LIVE_PORT."""


def listen(host: str, port: int, *, is_shared: bool = True) -> socket.socket:
    """Open a socket, by default one that several processes can share. Raises CannotListen."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # accepted connections inherit it
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNTAKEN_MS)
        listening.bind((host, port))
    except OSError as exc:
        listening.close()
        raise CannotListen(f"cannot listen on {host}:{port}: {exc.strerror or exc}") from exc
    return listening


class Server(uvicorn.Server):
    """A server that sends the live clients away, spread over ``drain``, before it stops.

    ``before_stop`` ends other streams that last; it must not block.
    """

    def __init__(
        self,
        app: FastAPI,
        bridge: Bridge,
        *,
        drain: timedelta,
        before_stop: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=HttpProtocol,
                ws=Connection,
                # Deflate takes 100 KB a connection. Our own pings also tell the client that it is connected.
                ws_per_message_deflate=False,
                ws_ping_interval=None,
                # The application answers a frame that is a little too large; a larger one ends in 1009.
                ws_max_size=4 * MAX_FRAME_BYTES,
                backlog=_BACKLOG,
                log_config=None,
                access_log=False,
                server_header=False,
                # A client could name any address in the header, and the connections of each are counted.
                proxy_headers=False,
                timeout_graceful_shutdown=_GRACE_S,
            )
        )
        self._bridge = bridge
        self._drain = drain
        self._before_stop = before_stop

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no new connections, send the clients away, then stop as uvicorn does."""
        for server in self.servers:
            server.close()
        for one in sockets or ():
            with suppress(OSError):
                one.close()
        self._before_stop()
        await self._bridge.drain(self._drain)
        await super().shutdown(sockets)
