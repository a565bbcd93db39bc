"""Takes records from event loops to kafka-python, and brings its answers back: many with one wake, both ways.

Kafka answers many records at once, and to wake an event loop costs more than to send a record. So does it to
wake the thread that sends: it takes Python's lock from the loop, sends the one record, and the others wait.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from kafka.errors import KafkaTimeoutError

from .. import Cluster, KafkaError, undelivered


def as_asyncio(future: Any) -> asyncio.Future[Any]:
    """A future of kafka-python as one of the running event loop."""
    waiting: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    future.chain(_Answer(_of_running_loop(), waiting))
    return waiting


def at_turns_end(call: Callable[[], None]) -> None:
    """Call once, after all that the running event loop does in this turn, however often it is asked to."""
    _of_running_loop().at_turns_end(call)


async def settled(answers: Iterable[asyncio.Future[Any]], deadline: float) -> None:
    """Wait until all answers are there, until ``deadline`` at most, by the monotonic clock."""
    waited_for = list(answers)
    # A time-out of asyncio's for each record would cost a fourth of what it costs to send one.
    end = asyncio.get_running_loop().call_later(deadline - time.monotonic(), _give_up, waited_for)
    try:
        for waiting in waited_for:
            with suppress(KafkaError):
                await waiting
    finally:
        end.cancel()


def _give_up(answers: Iterable[asyncio.Future[Any]]) -> None:
    for waiting in answers:
        if not waiting.done():
            waiting.set_exception(KafkaTimeoutError("no answer"))
            waiting.exception()  # nobody may come to the later ones: asyncio need not log them


def outcome_of(waiting: asyncio.Future[Any], cluster: Cluster, doing: str) -> Any:
    """The metadata of a record whose answer is settled, or the error that says why it may not be there.

    ``doing`` says in the error what could not be done. An answer that comes later is nobody's.
    """
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
    """The answers for one event loop: any thread posts them, the loop gives them to those who wait.

    Also what the loop itself is to call when its turn is over.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._posted: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._is_woken = False
        self._due: set[Callable[[], None]] = set()

    def at_turns_end(self, call: Callable[[], None]) -> None:
        """Call once, after all that the loop does in this turn. On the loop only."""
        if not self._due:
            self._loop.call_soon(self._call_due)
        self._due.add(call)

    def _call_due(self) -> None:
        due, self._due = self._due, set()
        for call in due:
            call()

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


def _of_running_loop() -> LoopAnswers:
    loop = asyncio.get_running_loop()
    return _of_loops.get(loop) or _answers_of_new(loop)


def _answers_of_new(loop: asyncio.AbstractEventLoop) -> LoopAnswers:
    for known in list(_of_loops):
        if known.is_closed():
            _of_loops.pop(known, None)
    return _of_loops.setdefault(loop, LoopAnswers(loop))


_of_loops: dict[asyncio.AbstractEventLoop, LoopAnswers] = {}
