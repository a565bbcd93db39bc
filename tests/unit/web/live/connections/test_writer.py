"""The writer sends what waits, and a frame that cannot be sent ends the session instead of muting it."""

from __future__ import annotations

import asyncio

import pytest

from web.live.connections.writer import Writer
from web.live.outbox import Waiting
from web.live.protocol import Close
from web.live.session import Ending, Session


def test_a_frame_that_cannot_be_sent_ends_the_session(caplog: pytest.LogCaptureFixture) -> None:
    async def serve() -> Ending:
        ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

        async def send(frame: Waiting) -> None:
            frame.text.encode()

        async def finish(ending: Ending) -> None:
            ended.set_result(ending)

        writer = Writer(send, finish, last_frame_s=60)
        session = Session("ana", now=0, expires_at=1_000, wake=writer.wake)
        writer.session = session
        session.send(Waiting("\ud800"))
        async with asyncio.timeout(10):
            ending = await ended
        await writer.close()
        return ending

    assert asyncio.run(serve()).code is Close.GOING_AWAY
    assert "live.send_failed session=" in caplog.text


def test_if_the_last_frame_cannot_be_sent_either_the_connection_ends() -> None:
    async def serve() -> bool:
        async def send(frame: Waiting) -> None:
            raise RuntimeError

        async def finish(ending: Ending) -> None:
            raise RuntimeError

        writer = Writer(send, finish, last_frame_s=0)
        session = Session("ana", now=0, expires_at=1_000, wake=writer.wake)
        writer.session = session
        session.send(Waiting("{}"))
        try:
            async with asyncio.timeout(10):
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            await writer.close()
        return writer.gave_up

    assert asyncio.run(serve())
