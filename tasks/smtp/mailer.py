"""Sends mails from any thread: one thread of the process has the event loop and the connections."""

from __future__ import annotations

import asyncio
import logging
import threading

from .mail import Mail, MailNotSent, MailRefused
from .pool import Pool
from .server import Server

logger = logging.getLogger(__name__)

#: How much longer than the limit a thread waits for its mail, in case the loop's thread has died.
_GRACE_S = 10.0


class Mailer:
    """Sends mails to an SMTP server over at most ``connections`` connections; any thread may use it.

    Its own thread starts with the first mail and ends with :meth:`close`; a mail after that starts it again.
    Make it after a fork. One mail takes at most ``limit_s`` seconds, the wait for a connection included.
    """

    def __init__(
        self, server: Server, *, connections: int = 4, idle_s: float = 15.0, limit_s: float = 30.0
    ) -> None:
        self._server = server
        self._connections = connections
        self._idle_s = idle_s
        self._limit_s = limit_s
        self._lock = threading.Lock()
        self._running: _Running | None = None
        self._in_hand = 0
        self._is_well = True

    def send(self, mail: Mail) -> None:
        """Block until the server has taken ``mail``.

        Raises:
            MailNotSent: it did not; the text names the server, the recipient and the server's answer.
            MailRefused: it never will.
        """
        running = self._start()
        is_well = False
        with self._lock:
            self._in_hand += 1
        try:
            sent = asyncio.run_coroutine_threadsafe(self._send(running.pool, mail), running.loop)
            sent.result(self._limit_s + _GRACE_S)
            is_well = True
        except MailRefused:
            is_well = True  # it is about this mail
            raise
        finally:
            with self._lock:
                self._in_hand -= 1
                self._is_well = is_well

    @property
    def is_ready(self) -> bool:
        """Whether a mail is likely to go out at once: a connection is free, and the last mail went out."""
        return self._is_well and self._in_hand < self._connections

    def close(self) -> None:
        """Leave the server and end the thread, once the mails in hand are done."""
        with self._lock:
            running, self._running = self._running, None
        if running is not None:
            running.stop()

    async def _send(self, pool: Pool, mail: Mail) -> None:
        try:
            async with asyncio.timeout(self._limit_s):
                await pool.send(mail)
        except TimeoutError as exc:
            text = f"The mail to {mail.recipient} was not sent within {self._limit_s:g} s"
            raise MailNotSent(f"{text} by the mail server {self._server.host}:{self._server.port}") from exc

    def _start(self) -> _Running:
        with self._lock:
            if self._running is None:
                self._running = _Running(self._server, size=self._connections, idle_s=self._idle_s)
            return self._running


class _Running:
    """The mailer's thread, its event loop, and the connections on it."""

    def __init__(self, server: Server, *, size: int, idle_s: float) -> None:
        self.loop = asyncio.new_event_loop()
        self.pool = Pool(server, size=size, idle_s=idle_s)
        self._thread = threading.Thread(target=self._run, name="mailer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._finish(), self.loop).result()
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            self._stopped = asyncio.Event()
            runner.run(self._stopped.wait())

    async def _finish(self) -> None:
        await self.pool.close()
        self._stopped.set()
