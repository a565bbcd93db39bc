"""A real SMTP server for tests: it can be told what to answer, and go down and come back."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from types import TracebackType
from typing import Any, Self

from aiosmtpd.smtp import SMTP, Envelope, syntax

from tests.helpers.ports import free_port

#: The commands and moments that it can be told to answer to.
STAGES = ("GREETING", "AUTH", "MAIL", "RCPT", "DATA", "CONTENT")

#: The recipient that it always refuses.
REFUSED = "nobody@example.com"


class SmtpServer:
    """Listens on 127.0.0.1 while it is entered or started; on one port, also after a restart.

    ``replies`` are given, one each, to the commands of their name before it answers as usual. The greeting is
    named GREETING, what comes after ``DATA`` is named CONTENT. A reply may be bytes in whatever encoding.
    """

    def __init__(self, *, pipelining: bool = False, **options: Any) -> None:
        self.port = free_port()
        #: Whether it offers PIPELINING.
        self.pipelining = pipelining
        self.envelopes: list[Envelope] = []
        #: How many connections there ever were.
        self.connections = 0
        self.replies: dict[str, deque[str | bytes]] = {name: deque() for name in STAGES}
        #: How many connections it takes at once; it greets others with 421. None: all.
        self.most: int | None = None
        #: The senders that it was told, in order, those included whose mails were not sent.
        self.senders: list[str] = []
        #: Commands of which the next one gets no answer at all.
        self.mute: set[str] = set()
        #: Whether each mail is refused for now when it first comes.
        self.greylists = False
        self.greylisted: set[str] = set()
        #: Called with each mail before it is taken.
        self.on_content: Callable[[EmailMessage], None] | None = None
        #: Whether a connection is dropped when its mail is taken, before the answer.
        self.drop_after_content = False
        self._options = options
        self._open: set[asyncio.Transport] = set()

    @property
    def count(self) -> int:
        """How many mails it took."""
        return len(self.envelopes)

    @property
    def mails(self) -> list[EmailMessage]:
        return [read(envelope) for envelope in self.envelopes]

    @property
    def open(self) -> int:
        """How many connections there are now."""
        return len(self._open)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._thread.is_alive():
            self.stop()

    def start(self) -> None:
        listening: Future[None] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(listening)))
        self._thread.start()
        listening.result(30)

    def stop(self) -> None:
        """Go down, and drop all connections."""
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()

    def drop_connections(self) -> None:
        """Drop all connections without a word."""

        async def drop() -> None:
            self._abort_all()

        asyncio.run_coroutine_threadsafe(drop(), self._loop).result(30)

    async def _serve(self, listening: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        tls = self._options.pop("ssl_context", None)
        options, self._options = self._options, self._options | ({"ssl_context": tls} if tls else {})
        server = await self._loop.create_server(
            lambda: _Connection(self, self._loop, options), "127.0.0.1", self.port, ssl=tls
        )
        listening.set_result(None)
        await self._stopped.wait()
        server.close()
        self._abort_all()
        await asyncio.sleep(0)  # they close in the loop's next round

    def _abort_all(self) -> None:
        for transport in list(self._open):
            transport.abort()

    def opened(self, transport: asyncio.Transport) -> None:
        self.connections += 1
        self._open.add(transport)

    def closed(self, transport: asyncio.Transport) -> None:
        self._open.discard(transport)

    async def scripted(self, name: str) -> str | None:
        if name in self.mute:
            self.mute.discard(name)
            await self._stopped.wait()
        reply = self.replies[name].popleft() if self.replies[name] else None
        return _as_text(reply) if isinstance(reply, bytes) else reply


class _Handler:
    """The handler that aiosmtpd calls; apart, as aiosmtpd reads all its attributes at each connection."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server

    async def handle_EHLO(  # noqa: N802 - the names that aiosmtpd calls
        self, server: Any, session: Any, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", responses[-1]] if self._server.pipelining else responses

    async def handle_MAIL(  # noqa: N802
        self, server: Any, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self._server.senders.append(address)
        if reply := await self._server.scripted("MAIL"):
            return reply
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if reply := await self._server.scripted("RCPT"):
            return reply
        if address == REFUSED:
            return "550-5.1.1 No such mailbox\r\n550 Ask the postmaster"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        if self._server.on_content:
            await asyncio.to_thread(self._server.on_content, read(envelope))
        if reply := await self._server.scripted("CONTENT"):
            return reply
        if (
            self._server.greylists
            and (message_id := read(envelope)["Message-ID"]) not in self._server.greylisted
        ):
            self._server.greylisted.add(message_id)
            return "451 4.7.1 Greylisted, come again"
        if server.transport is None or server.transport.is_closing():
            return "421 Going down"  # nobody gets it: what is not answered is not taken
        self._server.envelopes.append(envelope)
        if self._server.drop_after_content:
            server.transport.abort()
        return "250 OK"


class _Connection(SMTP):
    def __init__(self, owner: SmtpServer, loop: asyncio.AbstractEventLoop, options: dict[str, Any]) -> None:
        super().__init__(_Handler(owner), loop=loop, **{"hostname": "localhost"} | options)
        self._owner = owner
        self._first: asyncio.Transport | None = None
        self._has_greeted = False
        self._is_too_many = False

    @syntax("DATA")
    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - the name that aiosmtpd calls
        if reply := await self._owner.scripted("DATA"):
            await self.push(reply)
        else:
            await super().smtp_DATA(arg)

    @syntax("AUTH <mechanism>")
    async def smtp_AUTH(self, arg: str) -> None:  # noqa: N802
        if reply := await self._owner.scripted("AUTH"):
            await self.push(reply)
        else:
            await super().smtp_AUTH(arg)

    async def push(self, status: str | bytes) -> None:
        if not self._has_greeted:
            self._has_greeted = True
            status = await self._owner.scripted("GREETING") or status
            if self._is_too_many:
                status = "421 4.7.0 Too many connections"
        await super().push(_as_bytes(status) if isinstance(status, str) else status)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        if self._first is None:  # STARTTLS makes it anew
            self._first = transport
            self._owner.opened(transport)
            self._is_too_many = self._owner.most is not None and self._owner.open > self._owner.most
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self._first is not None:
            self._owner.closed(self._first)
        super().connection_lost(error)


def _as_text(reply: bytes) -> str:
    return reply.decode(errors="surrogateescape")


def _as_bytes(reply: str) -> bytes:
    return reply.encode(errors="surrogateescape")


def read(envelope: Envelope) -> EmailMessage:
    assert isinstance(envelope.content, bytes)
    mail = message_from_bytes(envelope.content, policy=default)
    assert isinstance(mail, EmailMessage)
    return mail
