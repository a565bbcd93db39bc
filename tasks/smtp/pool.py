"""Keeps a few connections to one SMTP server and spreads the mails over them. For one event loop."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable, Iterable
from itertools import takewhile

from .connection import Connection
from .conversation import Left, Refused, Taken
from .failures import Failures
from .mail import Mail, MailRefused
from .server import Server
from .submission import Submission

logger = logging.getLogger(__name__)

#: Called once for each mail with what became of it.
Answer = Callable[[Submission, Exception | None], None]

#: How long no further connection is tried after one that failed while others were open.
_ENOUGH_S = 10.0


class Pool:
    """At most ``size`` connections at once; each is kept for ``idle_s`` seconds after its last mail.

    A mail goes over a connection that has none, else over a new one, else behind another mail. Its time is up
    ``limit_s`` seconds after it was submitted. Where the server takes some connections but no more of them,
    those carry all mails.

    A server may close a kept connection at any time, announce that with a 421, or restart: the mail then goes
    over another connection. That is safe until the content is sent. If the content gets no answer, nobody
    knows whether the server took the mail; it is reported as not sent.

    ``answer`` is called as soon as the answer is known, before anything else is sent on that connection.
    """

    def __init__(
        self,
        server: Server,
        answer: Answer,
        loop: asyncio.AbstractEventLoop,
        *,
        size: int,
        idle_s: float,
        limit_s: float,
    ) -> None:
        self._server = server
        self._answer = answer
        self._size = size
        self._idle_s = idle_s
        self._limit_s = limit_s
        self._loop = loop
        #: The mails in hand and when their time is up, the earliest first.
        self._in_hand: dict[Submission, float] = {}
        self._waiting: deque[Submission] = deque()
        self._carriers: dict[Submission, Connection] = {}
        #: The connections that count; one that has ended does while its last mail is not settled.
        self._connections: set[Connection] = set()
        #: Those without a mail, the last one used at the end: those that are too many grow old.
        self._idle: dict[Connection, None] = {}
        self._held: list[tuple[Mail, Connection]] = []
        self._connecting: set[asyncio.Task[None]] = set()
        self._failures = Failures()
        #: Until when the open connections are enough, as the server took no more.
        self._enough_until = 0.0
        self._leaving: set[Connection] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._finished: asyncio.Event | None = None

    def send(self, submission: Submission) -> None:
        """Have the mail sent."""
        up_at = submission.submitted_at + self._limit_s
        self._in_hand[submission] = up_at
        if up_at <= self._loop.time():  # this process stood still
            self._done(submission, self._server.not_in_time(submission.mail.recipient, self._limit_s))
            return
        self._waiting.append(submission)
        self.is_due(up_at)
        self._spread()

    def settled(self, mail: Mail) -> None:
        """Let the connection go on that is held for the mail, or hold none if it is still to be answered."""
        for submission in self._in_hand:
            if submission.mail is mail:
                submission.hold = False
                return
        for number, (held, connection) in enumerate(self._held):
            if held is mail:
                del self._held[number]
                connection.settle()
                self.went_on(connection)
                return

    async def finish(self) -> None:
        """Return when all mails in hand are answered and the server is left; none can be sent any more."""
        self._finished = asyncio.Event()
        self._leave_if_finished()
        await self._finished.wait()

    def give_up(self, more: Iterable[Submission], error: Exception) -> None:
        """Answer all mails in hand, and ``more``, with ``error``, and drop the connections."""
        self._waiting.clear()
        for submission in {**self._in_hand, **dict.fromkeys(more)}:
            self._in_hand.pop(submission, None)
            self._answer(submission, error)
        for connection in (*self._connections, *self._leaving):
            connection.end(error)

    def answered(self, connection: Connection, outcome: Taken | Refused) -> None:
        """Tell what became of a mail."""
        submission = outcome.submission
        if isinstance(outcome, Refused):
            self._done(submission, self._server.not_taken(outcome))
            return
        if submission.hold:
            self._held.append((submission.mail, connection))
        self._done(submission, None)

    def went_on(self, connection: Connection) -> None:
        """Use the connection for another mail if it is free."""
        if connection.is_open and connection.talk.is_idle:
            self._idle[connection] = None
        elif not (connection.is_open or connection.talk.is_held):
            self._connections.discard(connection)
        self._spread()
        self._leave_if_finished()

    def ended(self, connection: Connection, left: Left, error: Exception) -> None:
        """See to the mails that are left on a connection that has ended."""
        self._leaving.discard(connection)
        self._idle.pop(connection, None)
        if left.unknown is not None:
            self._not_connected(left.unknown, error)
        if left.unsent is not None and left.unsent in self._in_hand:
            # One that was opened before the mail came has gone like any that was kept.
            if left.is_first and connection.opened_at >= left.unsent.submitted_at:
                self._not_connected(left.unsent, error)
            else:
                self._begin_again(left.unsent)
        self.went_on(connection)

    def catch_up(self, connection: Connection) -> None:
        """Take the mails back whose time is up: after a freeze, the loop reads before it runs its timers.

        Only this connection's: another one may have an answer that is not read yet.
        """
        now = self._loop.time()
        late = takewhile(lambda item: item[1] <= now, self._in_hand.items())
        for submission in [one for one, _ in late if self._carriers.get(one) is connection]:
            self._expire(submission)

    def is_due(self, at: float) -> None:
        """Look after mails and connections at this time, or before."""
        if at is not math.inf and (self._timer is None or at < self._timer.when()):
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(at, self._look_after)

    def _begin_again(self, submission: Submission) -> None:
        """Send a mail whose connection had gone; the idle ones have most likely gone the same way."""
        del self._carriers[submission]
        self._waiting.appendleft(submission)
        idle, self._idle = self._idle, {}
        for connection in idle:
            connection.end(ConnectionResetError("Another connection was lost"))

    def _spread(self) -> None:
        """Give the mails that wait to connections, as far as there are any."""
        while self._waiting:
            if self._idle:
                self._begin(self._idle.popitem()[0])
            elif len(self._waiting) <= len(self._connecting) + len(self._failures):
                return
            elif self._may_open():
                task = self._loop.create_task(self._connect())
                self._connecting.add(task)
            elif (busy := next((one for one in self._connections if one.has_room), None)) is not None:
                self._begin(busy)
            else:
                return

    def _begin(self, connection: Connection) -> None:
        submission = self._waiting.popleft()
        mail = submission.mail
        self._carriers[submission] = connection
        try:
            if mail.needs_smtputf8 and not connection.talk.offered.smtputf8:
                raise self._server.cannot_take(mail)
            connection.begin(submission)
        except MailRefused as exc:
            self._done(submission, exc)
            if connection.talk.is_idle:
                self._idle[connection] = None

    @property
    def _has_open(self) -> bool:
        return any(one.is_open for one in self._connections)

    def _may_open(self) -> bool:
        if self._loop.time() < self._enough_until and self._has_open:
            return False
        return len(self._connections) + len(self._connecting) + len(self._failures) < self._size

    async def _connect(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        server, began = self._server, self._loop.time()
        try:
            transport, offered = await server.connect()
        except Exception as exc:  # noqa: BLE001 - a mail waits for it, whatever it is
            failure = self._failures.add(exc, began, self._connecting - {task}, self._loop.time())
            self.is_due(failure.told_at)
        else:
            connection = Connection(transport, offered, self, timeout_s=server.timeout_s, idle_s=self._idle_s)
            self._connections.add(connection)
            self._idle[connection] = None
        self._connecting.discard(task)
        self._failures.ended(task)
        self._see_to_failures()
        self._spread()
        self._leave_if_finished()

    def _see_to_failures(self) -> None:
        """Fail a mail for each attempt that failed, unless there are connections that can carry it."""
        now = self._loop.time()
        if self._has_open and (last := self._failures.clear()) is not None:
            self._enough_until = now + _ENOUGH_S
            logger.info("mail.no_more_connections open=%d: %s", len(self._connections), last.error)
        for failure in self._failures.told(now):
            # One that came later has an attempt of its own: the server may have restarted before.
            if self._waiting and self._in_hand[self._waiting[0]] <= failure.began + self._limit_s:
                self._not_connected(self._waiting.popleft(), failure.error)

    def _look_after(self) -> None:
        """See to what is due: mails whose time is up, connections that have been silent for too long."""
        self._timer = None
        now = self._loop.time()
        for submission in [one for one, up_at in self._in_hand.items() if up_at <= now]:
            self._expire(submission)
        for connection in [one for one in (*self._connections, *self._leaving) if one.due_at <= now]:
            if connection in self._idle:
                self._leave(connection)
            else:
                connection.end(TimeoutError("It did not answer in time"))
        if self._failures:
            self._see_to_failures()
            self._spread()
            self._leave_if_finished()
        for at in (
            *self._in_hand.values(),
            *(one.due_at for one in (*self._connections, *self._leaving)),
            *(one.told_at for one in self._failures),
        ):
            self.is_due(at)

    def _expire(self, submission: Submission) -> None:
        connection = self._carriers.get(submission)
        self._done(submission, self._server.not_in_time(submission.mail.recipient, self._limit_s))
        if connection is None:
            self._waiting.remove(submission)
        elif not connection.talk.withdraw(submission):
            connection.end(TimeoutError("The time for a mail was up"))

    def _not_connected(self, submission: Submission, error: Exception) -> None:
        self._done(submission, self._server.not_connected(error, submission.mail.recipient))

    def _done(self, submission: Submission, error: Exception | None) -> None:
        if self._in_hand.pop(submission, None) is not None:
            self._carriers.pop(submission, None)
            self._answer(submission, error)

    def _leave(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._idle.pop(connection, None)
        if connection.is_open:  # else it has ended, and waited only for its last mail to be settled
            self._leaving.add(connection)
            connection.leave()

    def _leave_if_finished(self) -> None:
        if self._finished is None or self._in_hand:
            return
        for connection in list(self._connections):
            self._leave(connection)
        for task in self._connecting:
            task.cancel()
        if not self._leaving:
            self._finished.set()
