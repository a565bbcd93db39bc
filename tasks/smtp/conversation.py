"""What is said on one connection to an SMTP server once it is logged in: which command, and when. Pure.

Where the server offers PIPELINING (RFC 2920), the envelope of the next mail goes right behind the content of
the one before, so a busy connection makes one round trip for each mail:

    client                                      server
    MAIL 1, RCPT 1, DATA  ───────────────────▶
                          ◀───────────────────  250, 250, 354
    content 1, MAIL 2, RCPT 2, DATA  ────────▶
                          ◀───────────────────  250 (mail 1 is taken), 250, 250, 354
    mail 1 is answered; if it holds, it is settled
    content 2, MAIL 3, RCPT 3, DATA  ────────▶

DATA ends a group of commands, since the content may go only after its 354. A content goes only when the mail
before it is answered, and settled if that was asked for: so a process that dies leaves at most one mail on
each connection of which the server knows and nobody else. An envelope commits to nothing: until its content
goes, the mail can take another connection.

Where PIPELINING is not offered, each command waits for the reply to the one before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from .envelope import DATA, END, QUIT, RESET, Extensions, dotted, mail_from, rcpt_to, with_line_ends
from .replies import CLOSING, Ended, Reply, ReplyReader
from .submission import Submission


@dataclass(frozen=True)
class Taken:
    """The server has the mail. Nothing was said since."""

    submission: Submission


@dataclass(frozen=True)
class Refused:
    """The server does not take the mail; ``of_sender``: it said so when it was told the sender alone.

    What it has against the sender, it may say later as well; see :mod:`.refusals`.
    """

    submission: Submission
    reply: Reply
    of_sender: bool = False


@dataclass(frozen=True)
class Left:
    """The mails on the way when a connection ended.

    ``unknown`` is one whose content was sent: nobody knows whether the server has it. ``unsent`` is one whose
    content was not; ``is_first`` tells whether it was the connection's first mail.
    """

    unknown: Submission | None
    unsent: Submission | None
    is_first: bool


class _Command(Enum):
    """The command to which a reply belongs."""

    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    CONTENT = auto()
    RSET = auto()
    #: The end of a content that is none: its reply says nothing.
    NOTHING = auto()


@dataclass(eq=False)
class _Transfer:
    """A mail on the way. ``refusal`` is the first refusal of its envelope."""

    submission: Submission
    sender: bytes
    recipient: bytes
    content: bytes
    is_first: bool
    is_begun: bool = False
    refusal: Reply | None = None
    is_sender_refused: bool = False
    has_recipient: bool = False
    may_send: bool = False
    is_withdrawn: bool = False


class Conversation:
    """Says what to write and tells what the replies mean; at most two mails are on the way at once.

    After each call, :meth:`to_write` has what is to be written now.
    """

    def __init__(self, offered: Extensions) -> None:
        self.offered = offered
        #: Whether the mail taken last is still to be settled.
        self.is_held = False
        self._reader = ReplyReader()
        self._out: list[bytes] = []
        self._expected: deque[_Command] = deque()
        #: The mail whose content is sent and not answered, and the one whose content is to be sent then.
        self._sending: _Transfer | None = None
        self._next: _Transfer | None = None
        self._is_first = True
        self._has_left = False

    @property
    def is_free(self) -> bool:
        """Whether a mail may begin now."""
        if self._next is not None or self._has_left:
            return False
        return self.offered.pipelining or self._sending is None

    @property
    def is_idle(self) -> bool:
        """Whether no mail is on the way."""
        return not (self._sending or self._next or self.is_held)

    @property
    def is_waiting(self) -> bool:
        """Whether the server owes a reply."""
        return bool(self._expected)

    @property
    def is_unanswered(self) -> bool:
        """Whether the content of a mail is sent, and the server owes the reply to it."""
        return self._sending is not None

    def to_write(self) -> bytes:
        """Return what is to be written now; each byte is returned once."""
        written = b"".join(self._out)
        self._out.clear()
        return written

    def begin(self, submission: Submission) -> None:
        """Begin a mail; only if free. Raises MailRefused, without an effect, if an address is none."""
        mail, content = submission.mail, with_line_ends(submission.mail.content)
        sender, recipient = mail_from(mail, len(content), self.offered), rcpt_to(mail)
        self._next = _Transfer(submission, sender, recipient, content, self._is_first)
        self._is_first = False
        self._go_on()

    def receive(self, data: bytes) -> Iterator[Taken | Refused]:
        """Take bytes of the server, and tell what they mean for the mails.

        Nothing more is said before the next outcome is asked for. Raises Ended; :meth:`left` tells then which
        mails are left.
        """
        for reply in self._reader.read(data):
            if reply.code == CLOSING or not self._expected:
                yield from self._end(reply)
            outcome = self._take(self._expected.popleft(), reply)
            if outcome is not None:
                yield outcome
            self._go_on()

    def settle(self) -> None:
        """Let the next content go. Raises Ended."""
        self.is_held = False
        self._go_on()

    def withdraw(self, submission: Submission) -> bool:
        """Never send the content of this mail, and let one that is sent be answered first.

        Returns False if that cannot be, or need not: then the connection is to be ended.
        """
        if self._sending is None or self._next is None or self._next.submission is not submission:
            return False
        self._next.is_withdrawn = True
        return True

    def leave(self) -> None:
        """Say good-bye; no mail can begin any more."""
        self._has_left = True
        self._out.append(QUIT)

    def left(self) -> Left:
        """Tell which mails are on the way, now that the connection has ended."""
        sending, following = self._sending, self._next
        if following is not None and following.is_withdrawn:
            following = None
        return Left(
            unknown=sending.submission if sending else None,
            unsent=following.submission if following else None,
            is_first=following is not None and following.is_first,
        )

    def _go_on(self) -> None:
        transfer = self._next
        if transfer is None:
            return
        if not transfer.is_begun:
            self._begin_envelope(transfer)
        if not transfer.may_send or self._sending is not None or self.is_held:
            return
        if transfer.is_withdrawn:
            raise Ended("A mail was withdrawn")  # there is no other way back after 354
        self._sending, self._next = transfer, None
        self._say(_Command.CONTENT, dotted(transfer.content))

    def _begin_envelope(self, transfer: _Transfer) -> None:
        if self.offered.pipelining:
            self._say(_Command.MAIL, transfer.sender)
            self._say(_Command.RCPT, transfer.recipient)
            self._say(_Command.DATA, DATA)
            transfer.is_begun = True
        elif not self._expected:
            self._say(_Command.MAIL, transfer.sender)
            transfer.is_begun = True

    def _end(self, reply: Reply) -> Iterator[Refused]:
        """What is known at a good-bye: the content that it answers was not taken, as was what is refused."""
        if reply.code == CLOSING and self._sending is not None:
            yield Refused(self._sending.submission, reply)
            self._sending = None
        if self._next is not None and self._next.refusal is not None:
            yield Refused(self._next.submission, self._next.refusal, self._next.is_sender_refused)
            self._next = None
        raise Ended(f"It said: {reply}", reply if reply.code == CLOSING else None)

    def _take(self, command: _Command, reply: Reply) -> Taken | Refused | None:
        match command:
            case _Command.CONTENT:
                return self._take_result(reply)
            case _Command.RSET if not reply.is_yes:
                raise Ended(f"It refused to begin anew: {reply}")
            case _Command.RSET | _Command.NOTHING:
                return None
        assert self._next is not None, "replies come in the order of the commands"
        return self._take_envelope(self._next, command, reply)

    def _take_result(self, reply: Reply) -> Taken | Refused:
        assert self._sending is not None, "replies come in the order of the commands"
        submission = self._sending.submission
        if reply.asks_for_more:
            raise Ended(f"It answered a mail with {reply}")
        self._sending = None
        if reply.is_yes:
            self.is_held = submission.hold
            return Taken(submission)
        if self._next is None:
            # Not after the next envelope, which it would undo.
            self._say(_Command.RSET, RESET)
        return Refused(submission, reply)

    def _take_envelope(self, transfer: _Transfer, command: _Command, reply: Reply) -> Refused | None:
        is_data = command is _Command.DATA
        accepted = reply.asks_for_more if is_data else reply.is_yes
        if not accepted and transfer.refusal is None:
            if not reply.is_no:
                raise Ended(f"It answered {command.name} with {reply}")  # it is out of step
            transfer.refusal = reply
            transfer.is_sender_refused = command is _Command.MAIL
        if self.offered.pipelining and not is_data:
            transfer.has_recipient |= accepted and command is _Command.RCPT
            return None  # the replies to the rest of the group are still to come
        if transfer.refusal is not None:
            return self._refuse(transfer, transfer.refusal, wants_content=is_data and accepted)
        if is_data:
            transfer.may_send = True
        elif command is _Command.MAIL:
            self._say(_Command.RCPT, transfer.recipient)
        else:
            self._say(_Command.DATA, DATA)
        return None

    def _refuse(self, transfer: _Transfer, refusal: Reply, *, wants_content: bool) -> Refused:
        if wants_content:
            if transfer.has_recipient:
                raise Ended(f"It wants the content of a mail that it refused: {refusal}")
            # It accepted DATA though it has no recipient: it gets an end at once (RFC 2920, 3.1).
            self._say(_Command.NOTHING, END)
        self._next = None
        self._say(_Command.RSET, RESET)
        return Refused(transfer.submission, refusal, transfer.is_sender_refused)

    def _say(self, command: _Command, words: bytes) -> None:
        self._out.append(words)
        self._expected.append(command)
