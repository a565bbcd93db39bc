"""The pool where no server is needed."""

from __future__ import annotations

import asyncio

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
