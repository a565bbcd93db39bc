"""Brings the answers to kafka-python's futures to the event loops that wait for them, many with one wake.

Kafka answers many records at once, and to wake an event loop costs more than to send a record.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from . import Cluster, KafkaError, not_confirmed, undelivered


def as_asyncio(future: Any) -> asyncio.Future[Any]:
    """A future of kafka-python as one of the running event loop."""
    loop = asyncio.get_running_loop()
    answers = _of_loops.get(loop) or _answers_of_new(loop)
    waiting: asyncio.Future[Any] = loop.create_future()
    future.chain(_Answer(answers, waiting))
    return waiting


async def settled(answers: Iterable[asyncio.Future[Any]], deadline: float) -> None:
    """Wait until all answers are there, until ``deadline`` at most, by the monotonic clock."""
    with suppress(TimeoutError):
        async with asyncio.timeout(deadline - time.monotonic()):
            for waiting in answers:
                with suppress(KafkaError):
                    await waiting


def outcome_of(waiting: asyncio.Future[Any], cluster: Cluster, doing: str) -> Any:
    """The metadata of a record that was waited for, or the error that says why it may not be there.

    ``doing`` says in the error what could not be done. An answer that comes later is nobody's.
    """
    if waiting.cancel() or waiting.cancelled():
        return not_confirmed(cluster, doing, "no answer")
    error = waiting.exception()
    if error is None:
        return waiting.result()
    if not isinstance(error, KafkaError):
        raise error
    found = undelivered(error, cluster, doing)
    found.__cause__ = error
    return found


class _Answer:
    """One answer to come, as kafka-python's futures tell another one: with one lock for both ways."""

    __slots__ = ("_answers", "_waiting")

    def __init__(self, answers: LoopAnswers, waiting: asyncio.Future[Any]) -> None:
        self._answers = answers
        self._waiting = waiting

    def success(self, value: Any) -> None:
        self._answers.post(self._waiting, value, None)

    def failure(self, error: BaseException) -> None:
        self._answers.post(self._waiting, None, error)


class LoopAnswers:
    """The answers for one event loop: any thread posts them, the loop gives them to those who wait."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._posted: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._is_woken = False

    def post(self, waiting: asyncio.Future[Any], value: Any, error: BaseException | None) -> None:
        """Have the loop settle ``waiting``. Safe for any thread; nothing happens if the loop is closed."""
        self._posted.append((waiting, value, error))
        if not self._is_woken:
            self._is_woken = True
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        # First, so that what is posted from here on wakes the loop again.
        self._is_woken = False
        while self._posted:
            waiting, value, error = self._posted.popleft()
            if waiting.done():  # nobody waits any more
                continue
            if error is None:
                waiting.set_result(value)
            else:
                waiting.set_exception(error)
                waiting.exception()  # whoever waited may have been cancelled: asyncio need not log it


def _answers_of_new(loop: asyncio.AbstractEventLoop) -> LoopAnswers:
    for known in list(_of_loops):
        if known.is_closed():
            _of_loops.pop(known, None)
    return _of_loops.setdefault(loop, LoopAnswers(loop))


_of_loops: dict[asyncio.AbstractEventLoop, LoopAnswers] = {}
