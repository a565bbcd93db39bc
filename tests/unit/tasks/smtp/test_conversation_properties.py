"""Any conversation with any server that keeps to the protocol, however the network cuts it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.smtp.conversation import Conversation, Refused, Taken
from tasks.smtp.envelope import Extensions
from tasks.smtp.mail import Mail
from tasks.smtp.submission import Submission

#: The server's mood at each command: most are accepted.
MOODS = st.lists(st.sampled_from([True, True, True, False]), max_size=60)


@dataclass
class ModelServer:
    """A server as RFC 5321 has it; ``moods`` says which commands it accepts. Fails at a wrong sequence."""

    moods: list[bool]
    #: Whether DATA gets a 354 although there is no recipient (RFC 2920, 3.1).
    is_lenient: bool
    taken: list[bytes] = field(default_factory=list)
    commands: int = 0
    _buffer: bytes = b""
    _sender: bool = False
    _recipient: bool = False
    _in_content: bool = False

    def hears(self, data: bytes) -> bytes:
        self._buffer += data
        said = b""
        while (reply := self._next()) is not None:
            said += reply
        return said

    def _accepts(self) -> bool:
        self.commands += 1
        return self.moods[self.commands] if self.commands < len(self.moods) else True

    def _next(self) -> bytes | None:
        if self._in_content:
            return self._content()
        line, end, rest = self._buffer.partition(b"\r\n")
        if not end:
            return None
        self._buffer = rest
        verb, accepts = line[:4], self._accepts()
        if verb == b"RSET":
            self._sender = self._recipient = False
            return b"250 Reset\r\n"
        if verb == b"MAIL":
            assert not self._sender, "two mails at once"
            self._sender = accepts
            return b"250-Go\r\n250 on\r\n" if accepts else b"451 Later\r\n"
        if verb == b"RCPT":
            self._recipient = self._sender and accepts
            return b"250 OK\r\n" if self._recipient else b"550-No\r\n550 never\r\n"
        assert verb == b"DATA", line
        self._in_content = (self._recipient and accepts) or (self.is_lenient and not self._recipient)
        return b"354 Go\r\n" if self._in_content else b"554 No\r\n"

    def _content(self) -> bytes | None:
        content, end, rest = (b"\r\n" + self._buffer).partition(b"\r\n.\r\n")
        if not end:
            return None
        self._buffer = rest
        accepts = self._accepts() and self._recipient
        if accepts:
            self.taken.append(content.removeprefix(b"\r\n"))
        self._in_content = self._sender = self._recipient = False
        return b"250 Taken\r\n" if accepts else b"554 Not taken\r\n"


@dataclass
class Run:
    """One conversation, and all that became of its mails."""

    talk: Conversation
    server: ModelServer
    waiting: list[Submission]
    to_server: bytes = b""
    to_client: bytes = b""
    outcomes: list[Taken | Refused] = field(default_factory=list)

    def begin(self, _: int) -> None:
        if self.waiting and self.talk.is_free:
            self.talk.begin(self.waiting.pop(0))
            self._collect()

    def carry_out(self, most: int) -> None:
        sent, self.to_server = self.to_server[:most], self.to_server[most:]
        self.to_client += self.server.hears(sent)

    def carry_back(self, most: int) -> None:
        received, self.to_client = self.to_client[:most], self.to_client[most:]
        for outcome in self.talk.receive(received):
            self.outcomes.append(outcome)
            held = self.talk.is_held
            self._collect()
            assert isinstance(outcome, Refused) or held is outcome.submission.hold
        self._collect()

    def settle(self, _: int) -> None:
        if self.talk.is_held:
            self.talk.settle()
            self._collect()

    def _collect(self) -> None:
        written = self.talk.to_write()
        if self.talk.is_held:
            assert b"\r\n.\r\n" not in written, "a content while a mail is not settled"
        self.to_server += written

    def to_the_end(self) -> None:
        for _ in range(1_000):
            for step in (self.begin, self.carry_out, self.carry_back, self.settle):
                step(10_000)
            if not self.waiting and self.talk.is_idle and not self.talk.is_waiting:
                return
        raise AssertionError("the conversation does not end")


def a_run(holds: list[bool], moods: list[bool], *, pipelining: bool, is_lenient: bool) -> Run:
    mails = [
        Submission(Mail("a@x", f"b{n}@x", b"mail %d\r\n.dot\r\n" % n), print, hold)
        for n, hold in enumerate(holds)
    ]
    return Run(Conversation(Extensions(pipelining=pipelining)), ModelServer(moods, is_lenient), mails)


STEPS: list[Callable[[Run, int], None]] = [Run.begin, Run.carry_out, Run.carry_back, Run.settle]


@settings(max_examples=200, deadline=None)
@given(
    holds=st.lists(st.booleans(), max_size=6),
    moods=MOODS,
    steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(1, 60)), max_size=60),
    pipelining=st.booleans(),
    is_lenient=st.booleans(),
)
def test_each_mail_has_one_answer_and_it_is_true_however_the_network_cuts(
    holds: list[bool],
    moods: list[bool],
    steps: list[tuple[Callable[[Run, int], None], int]],
    pipelining: bool,
    is_lenient: bool,
) -> None:
    run = a_run(holds, moods, pipelining=pipelining, is_lenient=is_lenient)
    mails = list(run.waiting)
    for step, size in steps:
        step(run, size)
    run.to_the_end()
    assert [outcome.submission for outcome in run.outcomes] == mails  # in order, each once
    taken = [one.submission.mail.content for one in run.outcomes if isinstance(one, Taken)]
    assert run.server.taken == [
        content.replace(b"\r\n.", b"\r\n..").removesuffix(b"\r\n") for content in taken
    ]
