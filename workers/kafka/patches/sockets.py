"""Sockets that are left open when their connection fails."""

from __future__ import annotations

import ssl
import sys
import traceback
import weakref
from typing import Any

import kafka.errors
from kafka.net.inet import KafkaNetSocket, create_connection
from kafka.net.manager import KafkaConnectionManager

from ..error_translation import TlsFailed
from ..security.tls import why_failed, why_not_loaded
from .transport import PromptTransport, TlsTransport

#: The scheme of a proxy's URL chooses the class of socket in kafka-python; this one is that of our clients.
_SCHEME = "todo-workers"
#: Python's ssl drops a socket without closing it when the connection is lost before TLS begins
#: (python/cpython#113280).
SSL_LEAVES_OPEN = sys.version_info < (3, 11, 8) or (3, 12) <= sys.version_info < (3, 12, 2)


class ClosedOnFailure(KafkaNetSocket):  # type: ignore[misc]
    """Closes the socket of a connection that does not come about.

    kafka-python 3.0.12 drops such a socket without closing it: when connecting fails, and when the client is
    closed meanwhile.
    """

    SCHEMES = (_SCHEME,)

    async def sock_connect(self, net: Any, sock: Any, sockaddr: Any, timeout_at: Any = None) -> Any:
        try:
            return await super().sock_connect(net, sock, sockaddr, timeout_at=timeout_at)
        except BaseException:
            sock.close()
            raise


class ConnectionManager(KafkaConnectionManager):  # type: ignore[misc]
    """Connects by :class:`ClosedOnFailure`, and closes a socket whose handshake fails, which is left as well.

    If a proxy is configured, connections go through that instead.
    """

    def __init__(self, net: Any, **configs: Any) -> None:
        super().__init__(net, **configs)
        self.config["proxy_url"] = self.config["proxy_url"] or f"{_SCHEME}://"
        self._transports: weakref.WeakSet[Any] = weakref.WeakSet()

    def close_sockets(self) -> None:
        """Close those that are left once the loop has ended, as nobody writes what they still have to."""
        for transport in self._transports:
            if transport._sock is not None:
                transport._sock.close()

    async def _build_transport(self, node: Any, timeout_at: Any = None) -> Any:
        config = self.config
        sock = await create_connection(
            self._net,
            node.host,
            node.port,
            config["socket_options"],
            proxy_url=config["proxy_url"],
            timeout_at=timeout_at,
        )
        transport = None
        try:
            if self.ssl_enabled:
                transport = self._tls_transport(sock, node)
            else:
                transport = PromptTransport(self._net, sock, host=node.host)
            self._transports.add(transport)
            await transport.handshake()
        except BaseException as exc:
            # A transport has the socket, or, with TLS, one that took it over.
            (sock if transport is None else transport._sock).close()
            if not isinstance(exc, Exception):
                raise
            if why := why_failed(exc, f"{node.host}:{node.port}", config):
                raise TlsFailed(why) from exc
            if isinstance(exc, TlsFailed):
                raise
            raise kafka.errors.KafkaConnectionError(f"Handshake failed: {exc}") from exc
        return transport

    def _tls_transport(self, sock: Any, node: Any) -> TlsTransport:
        options = {key: value for key, value in self.config.items() if key.startswith("ssl_")}
        try:  # the files are read for each connection: they may have been renewed
            options["ssl_context"] = TlsTransport._build_ssl_context(options)
        except OSError as exc:
            raise TlsFailed(why_not_loaded(exc, options)) from exc
        try:
            return TlsTransport(self._net, sock, host=node.host, **options)
        except BaseException as exc:
            if SSL_LEAVES_OPEN:
                _close_half_made(exc)
            raise


def _close_half_made(error: BaseException) -> None:
    """Close the socket of TLS that an error has left open and in the hands of nobody."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        made = frame.f_locals.get("self")
        if isinstance(made, ssl.SSLSocket):
            made.close()
