"""The writer sends what waits, and a frame that cannot be sent ends the session instead of muting it."""

from __future__ import annotations

import asyncio
import gc
import weakref
from types import SimpleNamespace
from typing import Any

import pytest

from web.live.connections.writer import Writer
from web.live.protocol import Close
from web.live.send_buffer import Waiting
from web.live.session import Ending, Session
from web.live.turns import Turns


def test_a_frame_that_cannot_be_sent_ends_the_session(caplog: pytest.LogCaptureFixture) -> None:
    async def serve() -> Ending:
        ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

        async def send(frame: Waiting) -> None:
            frame.text.encode()

        async def finish(ending: Ending) -> None:
            ended.set_result(ending)

        writer = Writer(send, finish, last_frame_s=60, turns=Turns())
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

        writer = Writer(send, finish, last_frame_s=0, turns=Turns())
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


class Client:
    """A client that takes ``room`` frames at once, and all others from a task."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.at_once: list[str] = []
        self.waited: list[str] = []
        self.ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self.writer = Writer(
            self._send, self._finish, last_frame_s=60, turns=Turns(), write=self._write_at_once
        )
        self.session = Session("ana", now=0, expires_at=1_000, wake=self.writer.wake)
        self.writer.session = self.session

    def _write_at_once(self, text: str) -> bool:
        if len(self.at_once) == self.room:
            return False
        text.encode()
        self.at_once.append(text)
        return True

    async def _send(self, frame: Waiting) -> None:
        self.waited.append(frame.text)

    async def _finish(self, ending: Ending) -> None:
        self.ended.set_result(ending)


def test_what_the_connection_does_not_take_at_once_is_sent_by_a_task_in_order() -> None:
    async def serve() -> tuple[list[str], list[str]]:
        client = Client(room=2)
        for text in "abcd":
            client.session.send(Waiting(text))
        client.session.end(Close.GOING_AWAY, None)  # what waits is not sent any more
        async with asyncio.timeout(10):
            await client.ended
        again = Client(room=2)
        for text in "abcd":
            again.session.send(Waiting(text))
        async with asyncio.timeout(10):
            while len(again.waited) < 2:
                await asyncio.sleep(0)
        assert not client.at_once
        assert not client.waited
        return again.at_once, again.waited

    assert asyncio.run(serve()) == (["a", "b"], ["c", "d"])


def test_after_a_wait_frames_are_written_at_once_again_behind_those_that_came_meanwhile() -> None:
    class Full(Client):
        """A client that takes nothing until it is read."""

        def __init__(self) -> None:
            super().__init__(room=0)
            self.order: list[str] = []
            self.is_read = asyncio.Event()

        def _write_at_once(self, text: str) -> bool:
            if self.is_read.is_set():
                self.order.append(f"{text} at once")
            return self.is_read.is_set()

        async def _send(self, frame: Waiting) -> None:
            await self.is_read.wait()
            self.order.append(f"{frame.text} waited")

    async def serve() -> list[str]:
        client = Full()
        client.session.send(Waiting("a"))
        for _ in range(3):  # the task waits for room
            await asyncio.sleep(0)
        for text in "bc":
            client.session.send(Waiting(text))
            await asyncio.sleep(0)
        client.is_read.set()
        client.session.send(Waiting("d"))
        async with asyncio.timeout(10):
            while len(client.order) < 4:
                await asyncio.sleep(0)
            client.session.send(Waiting("e"))
            while len(client.order) < 5:
                await asyncio.sleep(0)
        return client.order

    assert asyncio.run(serve()) == ["a waited", "b waited", "c waited", "d waited", "e at once"]


def test_a_frame_that_cannot_be_written_at_once_ends_the_session(caplog: pytest.LogCaptureFixture) -> None:
    async def serve() -> Ending:
        client = Client(room=2)
        client.session.send(Waiting("\ud800"))
        async with asyncio.timeout(10):
            return await client.ended

    assert asyncio.run(serve()).code is Close.GOING_AWAY
    assert "live.send_failed session=" in caplog.text


def test_who_has_left_before_its_turn_is_sent_nothing() -> None:
    async def serve() -> Client:
        client, other = Client(room=1), Client(room=1)
        client.session.send(Waiting("a"))
        client.session.has_left = True
        other.session.send(Waiting("b"))
        async with asyncio.timeout(10):
            while not other.at_once:
                await asyncio.sleep(0)
        return client

    client = asyncio.run(serve())
    assert not client.at_once
    assert not client.waited


def test_the_memory_of_a_session_is_free_without_a_collection_once_it_was_served() -> None:
    async def serve() -> weakref.ref[Any]:
        async def send(_frame: Waiting) -> None: ...

        async def finish(_ending: Ending) -> None: ...

        hub: Any = SimpleNamespace(leave=lambda _session: None)
        writer = Writer(send, finish, last_frame_s=60, turns=Turns(), write=lambda _text: True)
        writer.session = Session("ana", now=0, expires_at=1_000, wake=writer.wake)
        async with writer.serving(hub):
            writer.session.send(Waiting("a"))
            await asyncio.sleep(0)
        return weakref.ref(send)

    gc.collect()
    gc.disable()
    try:
        assert asyncio.run(serve())() is None
    finally:
        gc.enable()
