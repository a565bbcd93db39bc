"""How Kafka's answers come to the event loops that wait for them."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any
from unittest.mock import patch

import pytest
from kafka.errors import KafkaTimeoutError
from kafka.future import Future

from workers import Cluster
from workers.errors import NotDelivered
from workers.kafka.producing import loop_answers
from workers.kafka.producing.loop_answers import as_asyncio, at_turns_end, outcome_of, settled


def in_a_thread(work: Any) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_many_answers_wake_the_loop_once() -> None:
    async def main() -> list[Any]:
        futures = [Future() for _ in range(100)]
        waiting = [as_asyncio(future) for future in futures]
        # The loop does not run meanwhile, as it does not while another thread has the interpreter.
        in_a_thread(lambda: [future.success(number) for number, future in enumerate(futures)])
        first = await asyncio.gather(*waiting)
        late = as_asyncio(futures[0])
        return [*first, await late]

    loop = asyncio.new_event_loop()
    try:
        with patch.object(loop, "call_soon_threadsafe", wraps=loop.call_soon_threadsafe) as wake:
            assert loop.run_until_complete(main()) == [*range(100), 0]
    finally:
        loop.close()
    assert wake.call_count == 2


def test_an_error_is_raised_and_who_has_gone_is_left_alone() -> None:
    async def main() -> None:
        lost, gone, done = Future(), Future(), Future()
        waiting = [as_asyncio(future) for future in (lost, gone, done)]
        waiting[1].cancel()
        in_a_thread(lambda: (lost.failure(KafkaTimeoutError("late")), gone.success(1), done.success(2)))
        with pytest.raises(KafkaTimeoutError, match="late"):
            await waiting[0]
        assert await waiting[2] == 2
        assert waiting[1].cancelled()

    asyncio.run(main())


def test_threads_that_answer_at_the_same_time_lose_none() -> None:
    async def main() -> int:
        futures = [Future() for _ in range(2_000)]
        waiting = [as_asyncio(future) for future in futures]
        threads = [
            threading.Thread(target=lambda own=futures[start::4]: [future.success(1) for future in own])
            for start in range(4)
        ]
        for thread in threads:
            thread.start()
        return sum(await asyncio.wait_for(asyncio.gather(*waiting), 30))

    assert asyncio.run(main()) == 2_000


def test_what_all_tasks_of_a_turn_ask_for_is_called_once_when_they_have_run() -> None:
    calls: list[str] = []

    def wake() -> None:
        calls.append("wake")

    async def task() -> None:
        calls.append("task")
        at_turns_end(wake)
        await asyncio.sleep(0)

    async def main() -> None:
        for _ in range(2):
            await asyncio.gather(*(task() for _ in range(3)))

    asyncio.run(main())
    assert calls == ["task", "task", "task", "wake"] * 2


def test_what_has_no_answer_at_its_deadline_is_not_confirmed_and_the_others_are() -> None:
    async def main() -> tuple[list[Any], Future]:
        futures = [Future(), Future()]
        waiting = [as_asyncio(future) for future in futures]
        in_a_thread(lambda: futures[1].success(7))
        await settled(waiting, time.monotonic() + 0.02)
        return [outcome_of(one, Cluster(("nowhere:1",)), "write") for one in waiting], futures[0]

    (missing, found), future = asyncio.run(main())
    assert isinstance(missing, NotDelivered)
    assert found == 7
    future.success(1)  # comes late, for nobody


def test_an_answer_to_a_loop_that_is_over_is_nobodys() -> None:
    futures = [Future(), Future()]

    async def main() -> None:
        as_asyncio(futures.pop())

    late = futures[1]
    asyncio.run(main())
    late.success(1)
    asyncio.run(main())
    assert len(loop_answers._of_loops) == 1


def lost_after_the_deadline(wait: Callable[[list[asyncio.Future[Any]]], Awaitable[Any]]) -> list[Any]:
    """What asyncio reports of three answers that are errors and come once nobody waits any more."""
    reported: list[Any] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
        futures = [Future() for _ in range(3)]
        await wait([as_asyncio(future) for future in futures])
        in_a_thread(lambda: [future.failure(KafkaTimeoutError("late")) for future in futures])
        await asyncio.sleep(0)  # lets the loop settle them

    asyncio.run(main())
    gc.collect()
    return reported


def test_a_late_error_of_a_record_that_was_reported_as_lost_is_not_logged() -> None:
    async def wait(waiting: list[asyncio.Future[Any]]) -> None:
        await settled(waiting, time.monotonic())
        errors = [outcome_of(one, Cluster(("nowhere:1",)), "write to topic jobs") for one in waiting]
        assert all(isinstance(error, NotDelivered) and "(no answer)" in str(error) for error in errors)
        assert all(one.done() for one in waiting)

    assert lost_after_the_deadline(wait) == []


def test_a_late_error_of_a_record_whose_sender_was_cancelled_is_not_logged() -> None:
    async def wait(waiting: list[asyncio.Future[Any]]) -> None:
        sender = asyncio.create_task(settled(waiting, time.monotonic() + 60))
        await asyncio.sleep(0)
        sender.cancel()

    assert lost_after_the_deadline(wait) == []
