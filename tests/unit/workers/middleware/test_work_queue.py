"""Jobs reach a worker's threads in order, none waits beside an idle thread, and few threads are woken."""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from queue import Empty, PriorityQueue
from types import SimpleNamespace
from typing import Any

import pytest
from dramatiq import Worker
from dramatiq.brokers.stub import StubBroker
from dramatiq.common import iter_queue
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.waiting import wait_for
from workers import KafkaBroker
from workers.middleware.work_queue import SetsWorkQueue, WorkQueue


def job(number: int, priority: int = 0) -> Any:
    return SimpleNamespace(number=number, priority=priority)


def numbers_in(queue: WorkQueue) -> list[int]:
    return [item.number for item in iter_queue(queue)]  # type: ignore[no-untyped-call]


@contextmanager
def waiting(queue: WorkQueue, count: int) -> Iterator[list[Future[Any]]]:
    """Threads that each wait for a job."""
    with ThreadPoolExecutor(count) as threads:
        futures = [threads.submit(queue.get, timeout=30.0) for _ in range(count)]
        wait_for(lambda: len(queue._waiting) == count)
        yield futures


def test_the_lowest_priority_is_first_and_equals_keep_their_order() -> None:
    queue = WorkQueue()
    for number, priority in enumerate([1, 0, 1, 0, 2, 0]):
        queue.put(job(number, priority))
    assert not queue.empty()
    assert numbers_in(queue) == [1, 3, 5, 0, 2, 4]
    with pytest.raises(Empty):
        queue.get(timeout=0.01)
    assert queue._waiting == []
    for _ in range(6):
        queue.task_done()
    queue.join()


def test_jobs_that_come_together_run_together_if_threads_wait() -> None:
    queue = WorkQueue()
    together = threading.Barrier(5, timeout=10.0)

    def run() -> None:
        queue.get(timeout=10.0)
        together.wait()

    with ThreadPoolExecutor(4) as threads:
        futures = [threads.submit(run) for _ in range(4)]
        wait_for(lambda: len(queue._waiting) == 4)
        for number in range(4):
            queue.put(job(number))
        together.wait()
        for future in futures:
            future.result()


def test_jobs_that_come_together_wake_one_thread_until_that_has_its_job() -> None:
    queue = WorkQueue()
    with waiting(queue, 4) as futures:
        interval_s = sys.getswitchinterval()
        sys.setswitchinterval(30.0)
        try:
            for number in range(4):
                queue.put(job(number))
            asleep = len(queue._waiting)
        finally:
            sys.setswitchinterval(interval_s)
        assert sorted(future.result().number for future in futures) == [0, 1, 2, 3]
    assert asleep == 3


def test_a_thread_that_fails_on_its_way_keeps_no_other_asleep() -> None:
    """dramatiq raises its time limits in the threads, by the same call."""
    queue, lost = WorkQueue(), threading.Event()

    def fail() -> None:
        try:
            queue.get()
        except TimeoutError:
            lost.set()

    thread = threading.Thread(target=fail, daemon=True)
    thread.start()
    wait_for(lambda: queue._waiting)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident or 0), ctypes.py_object(TimeoutError)
    )
    queue.put(job(0))
    assert lost.wait(10.0)
    assert numbers_in(queue) == [0]
    with waiting(queue, 1) as [future]:
        queue.put(job(1))
        assert future.result().number == 1


def test_a_thread_that_fails_before_it_sleeps_does_not_wait_any_more() -> None:
    queue = WorkQueue()

    class Failing:
        """The queue's lock, behind which another thread's error comes."""

        def __enter__(self) -> None:
            lock.acquire()

        def __exit__(self, *_: object) -> None:
            queue.mutex = lock
            lock.release()
            raise TimeoutError

    lock, queue.mutex = queue.mutex, Failing()  # type: ignore[assignment]
    with pytest.raises(TimeoutError):
        queue.get()
    with waiting(queue, 1) as [future]:
        queue.put(job(1))
        assert future.result().number == 1


@given(st.lists(st.none() | st.integers(-1, 2), max_size=40))
def test_it_is_as_a_plain_queue_is(calls: list[int | None]) -> None:
    """Each call puts a job with a priority, or takes one."""
    queue, plain = WorkQueue(), PriorityQueue[tuple[int, int]]()

    def taken() -> tuple[int, int] | None:
        try:
            found = queue.get(block=False)
        except Empty:
            return None
        return found.priority, found.number

    def taken_of_plain() -> tuple[int, int] | None:
        try:
            return plain.get(block=False)
        except Empty:
            return None

    for number, priority in enumerate(calls):
        if priority is None:
            assert taken() == taken_of_plain()
        else:
            queue.put(job(number, priority))
            plain.put((priority, number))
        assert (queue.qsize(), queue.unfinished_tasks) == (plain.qsize(), plain.unfinished_tasks)


def test_each_of_many_jobs_runs_once() -> None:
    queue = WorkQueue()

    def put(first: int) -> None:
        for number in range(first, first + 1_000):
            queue.put(job(number))
            if not number % 100:
                time.sleep(0)  # lets the threads fall asleep now and then

    def take() -> list[int]:
        taken = []
        while (item := queue.get(timeout=10.0)).number >= 0:
            taken.append(item.number)
        return taken

    with ThreadPoolExecutor(6) as threads:
        takers = [threads.submit(take) for _ in range(4)]
        for putter in [threads.submit(put, first) for first in (0, 1_000)]:
            putter.result()
        for _ in takers:
            queue.put(job(-1, priority=1))
        assert sorted(number for taker in takers for number in taker.result()) == list(range(2_000))


def test_each_worker_of_a_broker_has_one() -> None:
    (one,) = (each for each in KafkaBroker().middleware if isinstance(each, SetsWorkQueue))
    worker = Worker(StubBroker())
    one.before_worker_boot(worker.broker, worker)
    assert isinstance(worker.work_queue, WorkQueue)
