"""A job that was taken back does not run; dramatiq says so only if that is worth a warning."""

from __future__ import annotations

import logging
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import dramatiq
import pytest
from dramatiq.worker import _WorkerThread

from tests.helpers.records import Consumed
from workers.controls.decision import Pause, Switch
from workers.controls.gate import Gate
from workers.controls.state import State
from workers.controls.then import Then
from workers.dead_letters.cause import error_fields, reason_of
from workers.dead_letters.filter import Filter
from workers.dead_letters.letter import Reason
from workers.kafka import OffsetAndMetadata, TopicPartition
from workers.middleware.revocation_guard import RevocationGuard
from workers.partitions.owned_partition import OwnedPartition
from workers.partitions.taken_message import TakenMessage


@pytest.fixture
def job() -> TakenMessage:
    owned = OwnedPartition(TopicPartition("t", 0), OffsetAndMetadata(0, "", -1))
    message = dramatiq.Message[None]("default", "work", (), {}, {})
    return TakenMessage(message, Consumed(), owned, SimpleQueue())


def process(job: TakenMessage, gate: Gate | None = None) -> None:
    """Let one of dramatiq's worker threads process the job."""
    guard = RevocationGuard(gate or Gate())
    broker: Any = SimpleNamespace(
        emit_before=lambda _, message: guard.before_process_message(broker, message),
        emit_after=lambda *_, **__: None,
    )
    worker: Any = SimpleNamespace()
    guard.before_worker_boot(broker, worker)
    consumers: Any = {"default": SimpleNamespace(post_process_message=lambda _: None)}
    work_queue: Any = SimpleNamespace(task_done=lambda: None)
    thread = _WorkerThread(broker=broker, consumers=consumers, work_queue=work_queue, worker_timeout=1)
    thread.process_message(job)


def test_a_job_that_was_taken_back_to_be_passed_on_is_skipped_without_a_line_in_the_log(
    job: TakenMessage, caplog: pytest.LogCaptureFixture
) -> None:
    assert job.withdraw()
    process(job)
    assert job.handed_back
    assert caplog.records == []


def test_a_job_of_a_revoked_partition_is_skipped_with_a_warning(
    job: TakenMessage, caplog: pytest.LogCaptureFixture
) -> None:
    job.owned.close()
    process(job)
    assert job.handed_back
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "was skipped" in caplog.text


def test_a_job_of_a_paused_queue_is_put_back_without_a_line_in_the_log(
    job: TakenMessage, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()
    gate.apply(State({"default": Pause("default")}))
    process(job, gate)
    assert (job.put_back, job.handed_back, job.running, job.is_at_work) == (True, True, False, False)
    assert not job.failed
    assert caplog.records == []


def test_the_pause_is_looked_at_after_the_job_is_seen_as_started(job: TakenMessage) -> None:
    # So a report that is made after the pause is applied names the job, or the job does not start.
    seen = []

    def is_paused(_queue: str) -> bool:
        seen.append(job.is_at_work)
        return False

    assert job.start(SimpleNamespace(is_open=False, is_paused=is_paused))
    assert seen == [True]


@pytest.mark.parametrize("then", list(Then))
def test_a_job_that_a_switch_takes_out_is_held_or_done(
    job: TakenMessage, then: Then, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()
    gate.apply(State(switches={"3f": Switch("3f", Filter(actor="work"), then)}))
    noted: list[BaseException | None] = []
    stuff = job.stuff_exception
    job.stuff_exception = lambda error: (noted.append(error), stuff(error))  # type: ignore[method-assign,assignment,func-returns-value]
    process(job, gate)
    assert not job.handed_back
    assert job.failed is (then is Then.HOLD)
    assert "was skipped" not in caplog.text
    if then is Then.HOLD:
        assert reason_of(noted[0]) is Reason.HELD
        assert error_fields(noted[0], with_traceback=True)["held_by"] == "3f"


def test_a_job_that_a_switch_holds_is_unwritten_until_its_letter_is_written(job: TakenMessage) -> None:
    gate = Gate()
    gate.apply(State(switches={"3f": Switch("3f", Filter(actor="work"), Then.HOLD)}))
    process(job, gate)
    assert not gate.has_unwritten(), "the switch is there"
    gate.apply(State())
    assert gate.has_unwritten()
    broker: Any = SimpleNamespace()
    RevocationGuard(gate).after_nack(broker, job)
    assert not gate.has_unwritten()
