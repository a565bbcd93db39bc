"""A message in hand behaves as dramatiq's own proxy does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import dramatiq
import pytest

from tests.helpers.records import Consumed
from workers.kafka import OffsetAndMetadata, TopicPartition
from workers.measures.jobs import JOBS, Outcome
from workers.partitions.owned_partition import OwnedPartition
from workers.partitions.taken_message import TakenMessage, attempt_of

MESSAGE: dramatiq.Message[None] = dramatiq.Message("default", "work", ("secret",), {}, {"retries": 1})


def taken(message: dramatiq.Message[Any]) -> TakenMessage:
    owned = OwnedPartition(TopicPartition("t", 0), OffsetAndMetadata(0, "", -1))
    return TakenMessage(message, Consumed(), owned, SimpleQueue())


@pytest.mark.parametrize("proxy", [dramatiq.MessageProxy(MESSAGE), taken(MESSAGE)])
def test_a_message_that_middleware_replaces_is_the_one_that_runs(proxy: dramatiq.MessageProxy) -> None:
    proxy._message = MESSAGE.copy(args=(7,), kwargs={"a": 1}, options={"b": 2})
    assert (proxy.args, proxy.kwargs, proxy.options) == ((7,), {"a": 1}, {"b": 2, "retries": 1})
    assert proxy._message.args == (7,)
    proxy._message = MESSAGE


@pytest.mark.parametrize("proxy", [dramatiq.MessageProxy(MESSAGE), taken(MESSAGE)])
def test_what_middleware_assigns_for_the_actor_leaves_the_message_alone(proxy: dramatiq.MessageProxy) -> None:
    proxy.args = ("plain",)
    assert proxy.args == ("plain",)
    assert proxy._message.args == ("secret",)
    assert proxy.encode() == MESSAGE.encode()
    assert proxy == dramatiq.MessageProxy(MESSAGE)


@pytest.mark.parametrize("first", ["thread", "release"])
def test_a_job_that_is_held_is_done_once_both_its_thread_and_its_holder_have_finished(first: str) -> None:
    message = taken(MESSAGE)
    message.hold()
    for finish in (message.ack, message.release) if first == "thread" else (message.release, message.ack):
        assert message.inbox.empty()
        assert not message.acked
        finish()
    assert message.inbox.get_nowait() is message
    assert message.acked
    assert message.inbox.empty()


@pytest.mark.parametrize("first", ["thread", "release"])
def test_a_job_that_is_released_with_an_error_is_given_up_once(first: str) -> None:
    message = taken(MESSAGE)
    error = ValueError("no")
    message.hold()
    if first == "thread":
        message.ack()
        message.release(error)
    else:
        message.release(error)
        message.ack()
    assert message.inbox.get_nowait() is message
    assert message.given_up is error
    assert message.acked
    assert message.inbox.empty()


def test_a_repeated_ack_neither_measures_nor_tells_again() -> None:
    message, told = taken(MESSAGE.copy(actor_name="acked_twice")), []
    assert message.start()
    message.when_done = lambda *ended: told.append(ended)
    message.ack()
    message.ack()
    assert told == [(Outcome.DONE, None)]
    labels = ("default", "acked_twice")
    assert JOBS.figures()[labels].outcomes[Outcome.DONE] == 1
    assert JOBS.running()[labels] == 0
    assert message.running  # as its partition may be taken away before its ack is read


def waits_s(message: TakenMessage) -> float:
    """How long the job waited, by what is measured of it."""

    def so_far_s() -> float:
        found = JOBS.figures().get((message.queue_name, message.actor_name))
        return found.wait_sum_s if found else 0.0

    before_s = so_far_s()
    assert message.start()
    message.ack()
    assert message.inbox.get_nowait() is message
    return so_far_s() - before_s


@pytest.mark.parametrize("digits", [310, 5_000])
def test_a_job_is_done_whatever_a_foreign_header_says_of_its_time(digits: int) -> None:
    now_ms = int(time.time() * 1000)
    owned = OwnedPartition(TopicPartition("t", 0), OffsetAndMetadata(0, "", -1))
    record = Consumed(timestamp=now_ms, headers=[("eta", b"9" * digits)])
    assert waits_s(TakenMessage(MESSAGE, record, owned, SimpleQueue())) < 60


def test_only_a_jobs_own_record_says_when_it_was_due() -> None:
    now_ms = int(time.time() * 1000)
    owned = OwnedPartition(TopicPartition("t", 0), OffsetAndMetadata(0, "", -1))
    record = Consumed(timestamp=now_ms, headers=[("eta", b"%d" % (now_ms - 600_000))])
    assert waits_s(TakenMessage(MESSAGE, record, owned, SimpleQueue())) >= 600
    assert waits_s(TakenMessage(MESSAGE, record, owned, SimpleQueue(), is_of_source=True)) < 60


def test_only_a_jobs_own_record_says_that_it_was_delayed() -> None:
    owned = OwnedPartition(TopicPartition("t", 0), OffsetAndMetadata(0, "", -1))
    record = Consumed(headers=[("eta", b"1700000000000")])
    assert TakenMessage(MESSAGE, record, owned, SimpleQueue()).was_delayed
    assert not TakenMessage(MESSAGE, record, owned, SimpleQueue(), is_of_source=True).was_delayed
    assert not TakenMessage(MESSAGE, Consumed(), owned, SimpleQueue()).was_delayed


def test_a_job_that_cannot_be_measured_is_done_all_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: Any) -> None:
        raise OverflowError

    message = taken(MESSAGE)
    assert message.start()
    with monkeypatch.context() as patched:
        patched.setattr(JOBS, "ended", fails)
        message.ack()
    assert message.inbox.get_nowait() is message
    assert message.acked
    assert "job not measured work" in caplog.text
    JOBS.ended(message, Outcome.DONE, 0)


def test_a_job_starts_or_is_withdrawn_whichever_comes_first() -> None:
    started, withdrawn = taken(MESSAGE), taken(MESSAGE)
    assert started.start()
    assert not started.withdraw()
    assert withdrawn.withdraw()
    assert not withdrawn.start()
    assert (withdrawn.handed_back, withdrawn.running) == (True, False)
    assert (started.handed_back, started.running) == (False, True)


def test_of_a_start_and_a_withdrawal_at_the_same_time_one_comes_through() -> None:
    for _ in range(200):
        message = taken(MESSAGE)
        gate = threading.Barrier(2)
        results: dict[str, bool] = {}

        def race(name: str, act: Callable[[], bool], gate: Any = gate, results: Any = results) -> None:
            gate.wait()
            results[name] = act()

        threads = [
            threading.Thread(target=race, args=("start", message.start)),
            threading.Thread(target=race, args=("withdraw", message.withdraw)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(results.values()) == [False, True]
        assert message.withdrawn == message.handed_back


@pytest.mark.parametrize(("retries", "attempt"), [(2, 3), (-5, 1), (10**400, 1), ("2", 1), (None, 1)])
def test_the_attempt_is_what_dramatiq_has_counted_and_no_absurd_number(retries: Any, attempt: int) -> None:
    assert attempt_of(dramatiq.Message("default", "note", (), {}, {"retries": retries})) == attempt
