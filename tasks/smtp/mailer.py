"""Sends mails from any thread: one thread of the process has all connections to the mail server.

Its selector is asyncio's event loop. aiosmtplib connects on it: the look-up of the name, TLS and login
take turns with the mails and block none. Then :class:`.connection.Connection` takes the protocol's place on
the same transport, which works alike with TLS and without. It is called for each packet, so the way of a mail
has no task, no future and no lock of asyncio, and no round trip more than SMTP needs.

    submit ──▶ Mailer: inbox ──▶ Pool: which connection ──▶ Connection: packets ──▶ Conversation: what to say
       ◀───────── answered ◀───────── answered ◀─────────────────┘

With aiosmtplib alone each mail was a task that waited for the reply to each command, which cost four times as
much. With smtplib, connecting would need threads, and TLS a second way to read and write.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
import weakref
from concurrent.futures import Future

from workers.measures.metrics import Counter, Histogram
from workers.traces.active import begin
from workers.traces.names import SERVER_ADDRESS, SERVER_PORT, SMTP_SEND

from .mail import Mail, MailRefused
from .mail_thread import MailThread
from .pool import Pool
from .server import Server
from .submission import Answered, Submission

logger = logging.getLogger(__name__)

_ATTEMPTS = Counter("mail_attempts_total", "Mails that the server took, refused or did not get.", ["outcome"])
_DURATION = Histogram("mail_duration_seconds", "Until the server answered for a mail.")

#: How many mails in hand for each connection mean that another one has to wait.
MAILS_PER_CONNECTION = 8
#: How much longer than the limit a thread waits for its mail, in case the mailer's thread stands still.
_GRACE_S = 10.0


class Mailer:
    """Sends mails to an SMTP server over at most ``connections`` connections; any thread may use it.

    Its own thread starts with the first mail and ends with :meth:`close`; a mail after that starts it again.
    So does one in a forked child; what was in hand stays with the parent. One mail takes at most ``limit_s``
    seconds, the wait for a connection included.
    """

    def __init__(
        self, server: Server, *, connections: int = 4, idle_s: float = 15.0, limit_s: float = 30.0
    ) -> None:
        self._server = server
        self._connections = connections
        self._idle_s = idle_s
        self._limit_s = limit_s
        self._lock = threading.Lock()
        self._thread: MailThread | None = None
        self._in_hand = 0
        self._is_well = True
        #: Kept in a forked child, where closing what belongs to the parent would help nobody.
        self._of_parent: MailThread | None = None
        _all.add(self)

    def submit(self, mail: Mail, answered: Answered, *, hold: bool = False) -> None:
        """Hand ``mail`` over without blocking; ``answered`` is called with what became of it, exactly once.

        It is called on the mailer's thread and must not block: with None once the server has taken the mail,
        before anything else is sent on that connection; else with MailNotSent or MailRefused.

        With ``hold``, the connection that took the mail sends no other mail's content until :meth:`settled`
        is called with it, so that a process that dies in between leaves at most one mail a connection of
        which nobody knows. Whoever asks for that calls it whatever happens.

        Raises:
            OSError, RuntimeError: the mailer's thread cannot start; ``answered`` is never called.
        """
        span = begin(SMTP_SEND, {SERVER_ADDRESS: self._server.host, SERVER_PORT: self._server.port})
        with self._lock:
            # Counted last: without a file descriptor or a thread it raises, and nothing is in hand.
            self._running().put(Submission(mail, answered, hold, span=span))
            self._in_hand += 1

    def settled(self, *mails: Mail) -> None:
        """Let the connections go on that are held for these mails, the very objects; never blocks.

        A mail that is not answered yet holds none then.
        """
        with self._lock:
            if self._thread is not None and self._thread.is_running:
                self._thread.put(*mails)

    def send(self, mail: Mail, *, hold: bool = False) -> None:
        """Block until the server has taken ``mail``; ``hold`` is as in :meth:`submit`.

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

        self.submit(mail, answered, hold=hold)
        sent.result(self._limit_s + _GRACE_S)

    @property
    def is_ready(self) -> bool:
        """Whether a mail is likely to go out soon: few are in hand, and the last mail went out."""
        return self._is_well and self._in_hand < self._connections * MAILS_PER_CONNECTION

    def close(self) -> None:
        """Leave the server and end the thread, once the mails in hand are done; not from ``answered``."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.finish()

    def _running(self) -> MailThread:
        if self._thread is None or not self._thread.is_running:
            self._thread = MailThread(self._lock, self._make_pool)
        return self._thread

    def _make_pool(self, loop: asyncio.AbstractEventLoop) -> Pool:
        return Pool(
            self._server,
            self._answer,
            loop,
            size=self._connections,
            idle_s=self._idle_s,
            limit_s=self._limit_s,
        )

    def _answer(self, submission: Submission, error: Exception | None) -> None:
        _ATTEMPTS.add("sent" if error is None else "refused" if isinstance(error, MailRefused) else "failed")
        _DURATION.observe(time.monotonic() - submission.submitted_at)
        if submission.span is not None:
            submission.span.end(error)
        with self._lock:
            self._in_hand -= 1
            # A refusal is about the mail: the server itself is well.
            self._is_well = error is None or isinstance(error, MailRefused)
        try:
            submission.answered(error)
        except BaseException:
            # It must not take the other mails with it.
            logger.exception("mail.answer_failed recipient=%s", submission.mail.recipient)

    def _begin_in_child(self) -> None:
        self._lock = threading.Lock()  # another thread may have had it when the process forked
        self._of_parent, self._thread = self._thread, None
        self._in_hand, self._is_well = 0, True


def _begin_in_child() -> None:
    for mailer in list(_all):
        mailer._begin_in_child()


#: The mailers of this process.
_all: weakref.WeakSet[Mailer] = weakref.WeakSet()
os.register_at_fork(after_in_child=_begin_in_child)
