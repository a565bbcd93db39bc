"""Sends mails from any thread: one thread of the process has the event loop and the connections."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future

from .mail import Mail, MailNotSent, MailRefused
from .pool import Pool
from .server import Server

logger = logging.getLogger(__name__)

#: Called with None when the server has taken a mail, else with the error.
Answered = Callable[[Exception | None], None]

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

    def submit(self, mail: Mail, answered: Answered, *, hold: bool = False) -> None:  # noqa: ARG002
        """Hand ``mail`` over without blocking; ``answered`` is called with what became of it, exactly once.

        It is called on the mailer's thread and must not block: with None once the server has taken the mail,
        before anything else is sent on that connection; else with MailNotSent or MailRefused.

        With ``hold``, the connection that took the mail sends no other mail's content until :meth:`settled`
        is called with it, so that a process that dies in between leaves at most one mail a connection of
        which nobody knows. Whoever asks for that calls it whatever happens.
        """
        running = self._start()
        with self._lock:
            self._in_hand += 1
        asyncio.run_coroutine_threadsafe(self._deliver(running.pool, mail, answered), running.loop)

    def settled(self, *mails: Mail) -> None:
        """Let the connections that are held for these mails go on; never blocks."""

    def send(self, mail: Mail) -> None:
        """Block until the server has taken ``mail``.

        Raises:
            MailNotSent: it did not; the text names the server, the recipient and the server's answer.
            MailRefused: it never will.
        """
        sent: Future[None] = Future()

        def answered(error: Exception | None) -> None:
            if error is None:
                sent.set_result(None)
            else:
                sent.set_exception(error)

        self.submit(mail, answered)
        sent.result(self._limit_s + _GRACE_S)

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

    async def _deliver(self, pool: Pool, mail: Mail, answered: Answered) -> None:
        error: Exception | None = None
        try:
            async with asyncio.timeout(self._limit_s):
                await pool.send(mail)
        except TimeoutError:
            text = f"The mail to {mail.recipient} was not sent within {self._limit_s:g} s"
            error = MailNotSent(f"{text} by the mail server {self._server.host}:{self._server.port}")
        except Exception as exc:  # noqa: BLE001 - it is handed to whoever sends
            error = exc
        with self._lock:
            self._in_hand -= 1
            # A refusal is about the mail: the server itself is well.
            self._is_well = error is None or isinstance(error, MailRefused)
        answered(error)

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
