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
from workers.controls.gate import Gate
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
