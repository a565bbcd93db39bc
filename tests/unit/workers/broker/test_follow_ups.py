"""A job's thread goes on, and nothing that follows the job is lost, whatever strikes while the job ends."""

from __future__ import annotations

from queue import PriorityQueue
from typing import Any

import dramatiq
import pytest
from dramatiq import MessageProxy, Middleware
from dramatiq.middleware import Shutdown, SkipMessage, TimeLimitExceeded
from dramatiq.worker import WorkerThread, _WorkQueueItem

from tests.helpers.waiting import wait_for
from workers.broker.follow_ups import FollowUpBroker


class Interrupted(Middleware):
    """Is interrupted once a job has failed or was skipped, as while it sends a retry."""

    def __init__(self, interrupt: BaseException) -> None:
        self.interrupt = interrupt

    def after_process_message(
        self, broker: dramatiq.Broker, message: Any, *, result: Any = None, exception: Any = None
    ) -> None:
        if exception is not None:
            raise self.interrupt

    def after_skip_message(self, broker: dramatiq.Broker, message: Any) -> None:
        raise self.interrupt


class Limit(Middleware):
    """Comes after the others, as the hook that takes a job's time limit off."""

    def __init__(self) -> None:
        self.taken_off: list[str] = []

    def after_process_message(
        self, broker: dramatiq.Broker, message: Any, *, result: Any = None, exception: Any = None
    ) -> None:
        self.taken_off.append(message.actor_name)

    def after_skip_message(self, broker: dramatiq.Broker, message: Any) -> None:
        self.taken_off.append(message.actor_name)


class Ended:
    """Stands for dramatiq's consumer thread: it gets the jobs that have ended."""

    def __init__(self) -> None:
        self.jobs: list[tuple[str, bool]] = []

    def post_process_message(self, message: MessageProxy) -> None:
        self.jobs.append((message.actor_name, message.failed))


class Broker(FollowUpBroker):
    def declare_queue(self, queue_name: str) -> None:
        """Does nothing: the jobs come from the test."""


class Process:
    """A worker thread on a broker with that middleware."""

    def __init__(self, broker: dramatiq.Broker) -> None:
        self.work: PriorityQueue[_WorkQueueItem] = PriorityQueue()
        self.ended = Ended()
        consumers: Any = {"default": self.ended}
        self.thread = WorkerThread(
            broker=broker, consumers=consumers, work_queue=self.work, worker_timeout=10
        )
        self.broker = broker

    def run(self, error: Exception | None) -> None:
        name = "plain" if error is None else type(error).__name__

        @dramatiq.actor(broker=self.broker, actor_name=name)
        def work() -> None:
            if error is not None:
                raise error

        self.work.put(_WorkQueueItem(0, MessageProxy(work.message())))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("interrupt", [TimeLimitExceeded(), Shutdown()])
def test_an_interrupt_after_a_job_has_failed_ends_neither_the_thread_nor_the_other_hooks(
    interrupt: BaseException,
) -> None:
    limit = Limit()
    process = Process(Broker([limit, Interrupted(interrupt)]))
    process.run(ValueError())
    process.run(SkipMessage())
    process.run(None)
    process.thread.start()
    try:
        wait_for(lambda: len(process.ended.jobs) == 3 or not process.thread.is_alive())
        assert process.ended.jobs == [("ValueError", True), ("SkipMessage", False), ("plain", False)]
        assert limit.taken_off == ["ValueError", "SkipMessage", "plain"]
    finally:
        process.thread.stop()
        process.thread.join()


def test_an_interrupt_ends_what_an_actor_does_and_what_follows_a_good_job() -> None:
    class Breaks(Middleware):
        def after_enqueue(self, *_: Any) -> None:
            raise TimeLimitExceeded

        def after_process_message(self, *_: Any, **__: Any) -> None:
            raise TimeLimitExceeded

    broker = Broker([Breaks()])
    message = MessageProxy(dramatiq.Message("default", "work", (), {}, {}))
    with pytest.raises(TimeLimitExceeded):
        broker.emit_after("enqueue", message, None)
    with pytest.raises(TimeLimitExceeded):
        broker.emit_after("process_message", message, result=None)


def test_a_retried_job_whose_callback_is_interrupted_is_given_up() -> None:
    class Breaks(Middleware):
        def after_process_message(self, broker: Any, message: Any, **_: Any) -> None:
            broker._follow_ups.sent(message)
            raise TimeLimitExceeded

    message = MessageProxy(dramatiq.Message("default", "work", (), {}, {}))
    Broker([Breaks()]).emit_after("process_message", message, exception=ValueError())
    assert message.failed
