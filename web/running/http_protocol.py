"""The HTTP connections of uvicorn, with limits to what comes before anybody is known: heads of requests.

uvicorn's protocol for httptools keeps request lines and headers of any size, for any time.
"""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

#: The size of a head: its URL, and each header with 32 bytes for what it takes beside its text, as in HTTP/2.
MAX_HEAD_BYTES = 64 * 1024
_HEADER_BYTES = 32
#: How many requests may wait for the answer to the one before them.
MAX_PIPELINED = 16


class HeadTooLarge(Exception):
    """The head of a request, or what waits with it, is too large; the parser makes it an error of its own."""


class _Part(Enum):
    """Where the parser is."""

    BEFORE = 1
    HEAD = 2
    BODY = 3


class HttpProtocol(HttpToolsProtocol):
    """A connection that answers 400 to a head that is too large, and ends if one does not come in time.

    Bodies and answers may take as long as they like, and a connection without a request is kept for as long
    as uvicorn does that, once it has had one.
    """

    #: How long after its first byte a head may take, and how long after it is made a connection's first one.
    head_within_s = 10.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._part = _Part.BEFORE
        self._head_bytes = 0
        #: What came since the last part of a body, or the last end of a request.
        self._held_bytes = 0
        self._limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._await_no_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read. The parser itself keeps a header until it is complete, so what it holds is counted here."""
        self._held_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._held_bytes > MAX_HEAD_BYTES:
            self.send_400_response("Invalid HTTP request received.")
        elif self._limit is None and (self._part is _Part.HEAD or self._is_between_requests()):
            self._await_head()

    def _is_between_requests(self) -> bool:
        """Whether there were only empty lines, for which uvicorn forgets how long it keeps the connection."""
        return self._part is _Part.BEFORE and self._held_bytes > 0

    def on_message_begin(self) -> None:
        """Begin to count."""
        super().on_message_begin()
        self._await_no_head()
        self._part = _Part.HEAD
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Take a part of the URL."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or one of those that may follow a body."""
        self._count(len(name) + len(value) + _HEADER_BYTES)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin the request, or let it wait for those before it."""
        self._part = _Part.BODY
        self._await_no_head()
        if len(self.pipeline) >= MAX_PIPELINED:
            raise HeadTooLarge
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        self._held_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._held_bytes = 0
        self._part = _Part.BEFORE
        super().on_message_complete()

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            raise HeadTooLarge

    def _await_head(self) -> None:
        self._limit = self.loop.call_later(self.head_within_s, self._came_too_late)

    def _await_no_head(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _came_too_late(self) -> None:
        """End the connection, but for an answer that still goes on: it takes as long as it likes."""
        self._limit = None
        if self._is_answering():
            self._await_head()
        elif not self.transport.is_closing():
            self.transport.close()

    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete
