"""The pool where no server is needed."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import NoReturn

import pytest

from tasks.smtp import failures
from tasks.smtp.mail import MailNotSent
from tasks.smtp.pool import Pool
from tasks.smtp.server import Server
from tasks.smtp.submission import Submission
from tests.helpers.mails import a_mail


def test_a_mail_whose_time_was_up_before_the_pool_saw_it_is_not_sent() -> None:
    """Its claim has ended, and another worker may have sent it: this process stood still."""
    answers: list[Exception | None] = []

    async def send() -> None:
        loop = asyncio.get_running_loop()
        pool = Pool(
            Server("127.0.0.1", 1),
            lambda _, error: answers.append(error),
            loop,
            size=1,
            idle_s=1,
            limit_s=30,
        )
        pool.send(Submission(a_mail(), print, submitted_at=loop.time() - 31))
        await pool.finish()

    asyncio.run(send())
    (error,) = answers
    assert isinstance(error, MailNotSent)
    assert "was not sent within 30 s" in str(error)


def test_an_attempt_that_hangs_holds_up_no_other_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Exception | None] = []
    attempts: list[asyncio.Event] = []

    async def connect(_: Server) -> NoReturn:
        attempts.append(asyncio.Event())
        if len(attempts) == 1:
            await attempts[0].wait()
        raise ConnectionRefusedError

    async def send() -> None:
        loop = asyncio.get_running_loop()
        told = asyncio.Event()

        def answered(_: Submission, error: Exception | None) -> None:
            answers.append(error)
            told.set()

        pool = Pool(Server("127.0.0.1", 1), answered, loop, size=4, idle_s=1, limit_s=30)
        for _ in range(2):
            pool.send(Submission(a_mail(), print))
        await asyncio.wait_for(told.wait(), 10)
        assert len(answers) == 1
        pool.send(Submission(a_mail(), print))  # it has an attempt of its own, beside the one that hangs
        told.clear()
        await asyncio.wait_for(told.wait(), 10)
        assert len(attempts) == 3
        attempts[0].set()
        await pool.finish()

    monkeypatch.setattr(Server, "connect", connect)
    monkeypatch.setattr(failures, "_BESIDE_S", 0.01)
    asyncio.run(send())
    assert len(answers) == 3
    assert all(isinstance(error, MailNotSent) for error in answers)


async def serve(
    conversations: list[asyncio.StreamWriter],
    second: asyncio.Event,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Take all mails; the second connection is greeted when that may be."""
    conversations.append(writer)
    if len(conversations) == 2:
        await second.wait()
    writer.write(b"220 Hello\r\n")
    replies = {b"EHLO": b"250-Hello\r\n250 PIPELINING", b"DATA": b"354 Go on", b"QUIT": b"221 Bye"}
    while line := await reader.readline():
        command = line[:4].strip().upper()
        writer.write(replies.get(command, b"250 OK") + b"\r\n")
        if command == b"DATA":
            await reader.readuntil(b"\r\n.\r\n")
            writer.write(b"250 Taken\r\n")
    writer.close()


def test_a_connection_that_was_never_used_and_is_lost_fails_no_mail_that_came_later() -> None:
    async def send() -> None:
        conversations: list[asyncio.StreamWriter] = []
        second = asyncio.Event()
        listening = await asyncio.start_server(partial(serve, conversations, second), "127.0.0.1", 0)
        answers: asyncio.Queue[Exception | None] = asyncio.Queue()
        pool = Pool(
            Server("127.0.0.1", listening.sockets[0].getsockname()[1]),
            lambda _, error: answers.put_nowait(error),
            asyncio.get_running_loop(),
            size=2,
            idle_s=30,
            limit_s=30,
        )
        for _ in range(2):  # each with an attempt of its own, and the first connection carries both
            pool.send(Submission(a_mail(), print))
        assert [await asyncio.wait_for(answers.get(), 10) for _ in range(2)] == [None, None]
        second.set()
        async with asyncio.timeout(10):
            while len(pool._idle) < 2:
                await asyncio.sleep(0)
        conversations[1].transport.abort()
        pool.send(Submission(a_mail(), print))  # before the loss shows
        assert await asyncio.wait_for(answers.get(), 10) is None
        await pool.finish()
        listening.close()
        for writer in conversations:
            with suppress(ConnectionError):
                await writer.wait_closed()

    asyncio.run(send())
