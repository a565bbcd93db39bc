"""Which mail goes out when, and the end of connections: a transport in memory, and a clock that is set."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tasks.smtp.connection import Connection
from tasks.smtp.envelope import Extensions
from tasks.smtp.mail import Mail
from tasks.smtp.pool import Pool
from tasks.smtp.server import Server
from tasks.smtp.submission import Submission

LIMIT_S = 30.0
IS_ENVELOPE_FINE = b"250 OK\r\n250 OK\r\n354 Go on\r\n"


class Transport(asyncio.Transport):
    """Notes what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        pass

    def abort(self) -> None:
        pass


class World:
    """A pool with one connection, on a loop whose clock can be put forward."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.told: list[tuple[bytes, Exception | None]] = []
        self.pool = Pool(
            Server("localhost", 25), self._answer, self.loop, size=1, idle_s=30.0, limit_s=LIMIT_S
        )
        self.transport = Transport()
        self.connection = Connection(
            self.transport, Extensions(pipelining=True), self.pool, timeout_s=300.0, idle_s=30.0
        )
        self.pool._connections.add(self.connection)
        self.pool.went_on(self.connection)

    def send(self, content: bytes, *, hold: bool = False) -> Mail:
        mail = Mail("todo@example.com", "ana@example.com", content)
        self.pool.send(Submission(mail, print, hold))
        return mail

    def freeze(self) -> None:
        """Let the time of every mail in hand be over before the loop runs again."""
        later = self.loop.time() + LIMIT_S + 1
        self.loop.time = lambda: later  # type: ignore[method-assign]

    def _answer(self, submission: Submission, error: Exception | None) -> None:
        self.told.append((submission.mail.content, error))


def run(test: Callable[[World], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(10):
            await test(World())

    asyncio.run(main())


def test_a_content_does_not_go_out_after_the_time_of_its_mail() -> None:
    async def test(world: World) -> None:
        world.send(b"one")
        world.freeze()
        world.connection.data_received(IS_ENVELOPE_FINE)
        assert b"one" not in world.transport.written
        ((name, error),) = world.told
        assert name == b"one"
        assert "not sent within" in str(error)
        assert not world.connection.is_open

    run(test)


def test_an_answer_that_is_read_after_the_time_of_its_mail_still_counts() -> None:
    async def test(world: World) -> None:
        world.send(b"one")
        world.connection.data_received(IS_ENVELOPE_FINE)
        world.send(b"two")
        world.freeze()
        world.connection.data_received(b"250 Taken\r\n" + IS_ENVELOPE_FINE)
        assert b"two" not in world.transport.written
        assert [(name, error is None) for name, error in world.told] == [(b"one", True), (b"two", False)]

    run(test)


def test_a_settled_mail_lets_no_content_go_whose_time_is_up() -> None:
    async def test(world: World) -> None:
        one = world.send(b"one", hold=True)
        world.connection.data_received(IS_ENVELOPE_FINE)
        world.send(b"two")
        world.connection.data_received(b"250 Taken\r\n" + IS_ENVELOPE_FINE)
        world.freeze()
        world.pool.settled(one)
        assert b"two" not in world.transport.written
        assert [(name, error is None) for name, error in world.told] == [(b"one", True), (b"two", False)]

    run(test)


def test_it_finishes_though_a_connection_ended_whose_last_mail_is_not_settled() -> None:
    async def test(world: World) -> None:
        one = world.send(b"one", hold=True)
        world.connection.data_received(IS_ENVELOPE_FINE + b"250 Taken\r\n")
        world.connection.connection_lost(None)
        await world.pool.finish()
        world.pool.settled(one)
        assert world.told == [(b"one", None)]

    run(test)


def test_a_connection_that_fails_fails_no_mail_that_came_after_it_was_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test(world: World) -> None:
        attempts: list[asyncio.Future[tuple[asyncio.Transport, Extensions]]] = []

        async def connect(_server: Server) -> tuple[asyncio.Transport, Extensions]:
            attempts.append(world.loop.create_future())
            return await attempts[-1]

        monkeypatch.setattr(Server, "connect", connect)
        world.connection.connection_lost(None)
        world.send(b"one")
        await asyncio.sleep(0)
        world.pool._expire(next(iter(world.pool._in_hand)))
        world.send(b"two")
        attempts[0].set_exception(ConnectionResetError("The server restarted"))
        while len(attempts) < 2:
            await asyncio.sleep(0)
        attempts[1].set_exception(ConnectionResetError("The server is down"))
        while len(world.told) < 2:
            await asyncio.sleep(0)
        assert [name for name, _ in world.told] == [b"one", b"two"]
        assert "The server is down" in str(world.told[1][1])
        assert len(attempts) == 2

    run(test)
