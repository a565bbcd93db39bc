"""A small HTTP server for probes and scrapes, and how one of several processes comes to serve a port."""

from __future__ import annotations

import errno
import logging
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from .answers import Answer

logger = logging.getLogger(__name__)

#: A client that sends nothing for so long is disconnected.
_CLIENT_TIMEOUT_S = 10.0
#: Errors of a port that is taken, or cannot be taken by this user.
_TAKEN = {errno.EADDRINUSE}


class Port:
    """Serves a port as soon as no other process does. For one thread, which calls :meth:`try_to_serve`."""

    def __init__(self, host: str, port: int, answer: Callable[[str, str], Answer]) -> None:
        """``answer`` gets a path and the header ``Accept``; it is called by one thread at a time."""
        self._address = (host, port)
        self._answer = answer
        self._server: _Server | None = None
        self._told = False

    def try_to_serve(self) -> bool:
        """Serve if nobody does, on threads of its own; whether this process serves now."""
        if self._server is None:
            try:
                server = _Server(self._address, self._answer)
            except OSError as exc:
                if exc.errno not in _TAKEN and not self._told:
                    self._told = True
                    logger.warning("port not served %s:%d: %s", *self._address, exc)
                return False
            try:
                threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
            except RuntimeError:  # the process has no room for a thread; another one may serve
                server.server_close()
                raise
            self._server = server
            logger.info("serving /livez, /readyz and /metrics at %s:%d", *self._address)
        return True

    def close(self) -> None:
        """Stop serving; another process may then."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], answer: Callable[[str, str], Answer]) -> None:
        self.answer = answer
        self.one_at_a_time = threading.Lock()
        if ":" in address[0]:
            import socket  # noqa: PLC0415

            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - it is socketserver's
        logger.debug("request not answered client=%s", client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _CLIENT_TIMEOUT_S
    server_version = "todo-workers"
    sys_version = ""

    def do_GET(self) -> None:
        try:
            with self.server.one_at_a_time:
                answer = self.server.answer(urlsplit(self.path).path, self.headers.get("Accept", ""))
        except Exception:
            logger.exception("request failed path=%.100s", self.path)
            answer = Answer(500, "text/plain", b"failed; the log says why\n")
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - it is the base's
        logger.debug(format, *args)
