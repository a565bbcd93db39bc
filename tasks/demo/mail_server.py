"""An SMTP server in this process: it remembers what it took, refuses one recipient and puts off another."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Future
from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self

from aiosmtpd.smtp import SMTP, Envelope

from .progress import Effect
from .scenario import Kind

#: How long its start and its stop may take.
_TIMEOUT_S = 5.0


class MailServer:
    """Listens on a free port of 127.0.0.1 while it is entered, in a thread of its own."""

    def __init__(self, *, refused: str, deferred: str, deferrals: int) -> None:
        """It refuses mails to ``refused`` and defers the first ``deferrals`` mails to ``deferred``."""
        self.port = 0
        self._refused: str | None = refused
        self._deferred = deferred
        self._deferrals = deferrals
        self._taken: SimpleQueue[Effect] = SimpleQueue()
        self._listening: Future[int] = Future()
        self._thread = threading.Thread(target=self._run, name="mail-server", daemon=True)

    def accept_all(self) -> None:
        """Refuse nobody from now on."""
        self._refused = None

    def taken(self) -> list[Effect]:
        """Return what came since the last call: mails that were accepted, and mails that were deferred."""
        return [self._taken.get() for _ in range(self._taken.qsize())]

    def __enter__(self) -> Self:
        self._thread.start()
        self.port = self._listening.result(_TIMEOUT_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_TIMEOUT_S)

    async def handle_RCPT(  # noqa: N802 - the name aiosmtpd calls
        self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address == self._refused:
            return "550 5.1.1 No such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        mail = read_mail(envelope.content, ", ".join(envelope.rcpt_tos), at=time.time())
        if self._deferrals and envelope.rcpt_tos == [self._deferred]:
            self._deferrals -= 1
            self._taken.put(replace(mail, kind=Kind.DEFERRAL))
            return "451 4.7.1 Try again later"
        self._taken.put(mail)
        return "250 OK"

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except OSError as exc:
            self._listening.set_exception(exc)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        server = await self._loop.create_server(
            lambda: SMTP(self, hostname="localhost", loop=self._loop), "127.0.0.1", 0
        )
        self._listening.set_result(server.sockets[0].getsockname()[1])
        await self._stop.wait()
        server.close()


def read_mail(content: bytes, recipient: str, *, at: float) -> Effect:
    """Read a mail; its mark is the id of its job, with which the Message-ID begins."""
    mail = message_from_bytes(content, policy=default)
    assert isinstance(mail, EmailMessage)
    html = mail.get_body(("html",))
    return Effect(
        kind=Kind.MAIL,
        mark=str(mail["Message-ID"]).strip("<>").partition("@")[0],
        at=at,
        says=str(mail["Subject"]),
        detail=recipient,
        content=html.get_content().encode() if html else b"",
    )
