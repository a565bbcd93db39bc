"""One attempt for all who wait, and a circuit breaker after it failed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from tests.helpers.waiting import wait_for
from workers import Cluster
from workers.errors import AuthenticationFailed, KafkaUnreachable, TopicsMissing
from workers.kafka.producing.shared_attempt import FIRST_DELAY_S, MAX_DELAY_S, SharedAttempt


class Watched(SharedAttempt[int]):
    """Notes the call that each of those who ask waits for."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.waited_for: list[Future[int]] = []

    def _future(self) -> Future[int]:
        future = super()._future()
        self.waited_for.append(future)
        return future


class Attempts:
    """A call that waits until it is let go, and what it is to raise."""

    def __init__(self) -> None:
        self.now = 100.0
        self.calls = 0
        self.error: Exception | None = None
        self.go = threading.Event()
        self.go.set()
        self.shared = Watched(Cluster(("kafka:1",)), "connect", self._call, clock=lambda: self.now)

    def _call(self) -> int:
        self.calls += 1
        self.go.wait(30)
        if self.error is not None:
            raise self.error
        return self.calls

    def fail(self, error: Exception) -> None:
        self.error = error
        with pytest.raises(type(error)):
            self.shared.wait(30)


@pytest.fixture
def attempts() -> Attempts:
    return Attempts()


def test_all_who_wait_share_one_call(attempts: Attempts) -> None:
    attempts.go.clear()
    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(attempts.shared.wait, 30) for _ in range(20)]
        wait_for(lambda: len(attempts.shared.waited_for) == 20)
        attempts.go.set()
        assert [each.result(30) for each in waiting] == [1] * 20
    assert attempts.shared.wait(30) == 2


def test_tasks_of_an_event_loop_share_it_too_and_one_that_is_cancelled_disturbs_no_other(
    attempts: Attempts,
) -> None:
    async def run() -> list[int]:
        attempts.go.clear()
        tasks = [asyncio.create_task(attempts.shared.wait_async(10)) for _ in range(50)]
        await asyncio.sleep(0.01)
        tasks[0].cancel()
        await asyncio.sleep(0)
        attempts.go.set()
        return await asyncio.gather(*tasks[1:])

    assert asyncio.run(run()) == [1] * 49


def test_who_waits_too_long_is_told(attempts: Attempts) -> None:
    attempts.go.clear()
    with pytest.raises(KafkaUnreachable, match=r"kafka:1 did not answer in 0\.01 s, cannot connect"):
        attempts.shared.wait(0.01)
    with pytest.raises(KafkaUnreachable, match="did not answer"):
        asyncio.run(attempts.shared.wait_async(0.01))
    attempts.go.set()


@pytest.fixture(params=["thread", "event loop"])
def wait(request: pytest.FixtureRequest, attempts: Attempts) -> Callable[[], int]:
    if request.param == "thread":
        return lambda: attempts.shared.wait(30)
    return lambda: asyncio.run(attempts.shared.wait_async(5))


def test_after_a_failure_others_fail_at_once_until_the_next_attempt_is_due(
    attempts: Attempts, wait: Callable[[], int]
) -> None:
    attempts.fail(AuthenticationFailed("refused"))
    attempts.error = None
    with pytest.raises(AuthenticationFailed, match=r"^refused; it is tried again in 1\.0 s$"):
        wait()
    assert attempts.calls == 1
    attempts.now += FIRST_DELAY_S
    assert wait() == 2
    assert wait() == 3


def test_while_the_next_attempt_runs_others_still_fail_at_once(attempts: Attempts) -> None:
    attempts.fail(KafkaUnreachable("away"))
    attempts.now += FIRST_DELAY_S
    attempts.error = None
    attempts.go.clear()
    with ThreadPoolExecutor(1) as pool:
        trying = pool.submit(attempts.shared.wait, 10)
        wait_for(lambda: attempts.calls == 2)
        with pytest.raises(KafkaUnreachable, match=r"^away; it is being tried again now$"):
            attempts.shared.wait(30)
        attempts.go.set()
        assert trying.result(30) == 2


def test_failures_in_a_row_come_less_and_less_often(attempts: Attempts) -> None:
    attempts.fail(KafkaUnreachable("away"))
    waits = []
    for _ in range(5):
        calls, failed_at = attempts.calls, attempts.now
        while attempts.calls == calls:
            attempts.now += 0.25
            with pytest.raises(KafkaUnreachable, match="away"):
                attempts.shared.wait(30)
        waits.append(attempts.now - failed_at)
    assert waits == [FIRST_DELAY_S, 2 * FIRST_DELAY_S, 4 * FIRST_DELAY_S, MAX_DELAY_S, MAX_DELAY_S]


def test_an_answer_of_kafka_stops_no_one_even_if_it_is_an_error(attempts: Attempts) -> None:
    attempts.fail(TopicsMissing("no topic"))
    attempts.error = None
    assert attempts.shared.wait(30) == 2


def test_what_several_get_is_not_one_exception(attempts: Attempts) -> None:
    cause = OSError("refused")
    error = KafkaUnreachable("away")
    error.__cause__ = cause
    attempts.error = error
    with pytest.raises(KafkaUnreachable, match=r"^away$") as raised:
        attempts.shared.wait(30)
    assert raised.value is not error
    assert raised.value.__cause__ is cause


def test_a_process_without_room_for_a_thread_is_told_so_and_may_try_again(
    attempts: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", no_room)
        with pytest.raises(KafkaUnreachable, match="cannot connect: can't start new thread"):
            attempts.shared.wait(30)
    assert attempts.shared.wait(30) == 1
