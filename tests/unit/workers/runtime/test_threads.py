"""A thread that goes on when what it runs fails, until it is stopped."""

from __future__ import annotations

import logging
import threading

import pytest

from workers.errors import KafkaUnreachable
from workers.runtime.threads import RestartingThread

logger = logging.getLogger("tests.threads")


def test_it_runs_again_after_each_end_and_logs_each_error_until_it_is_stopped(
    caplog: pytest.LogCaptureFixture,
) -> None:
    errors: list[Exception | None] = [KafkaUnreachable("no way"), RuntimeError("a bug"), None]
    waits, stopped = threading.Event(), threading.Event()

    def run(stopping: threading.Event) -> None:
        if not errors:
            waits.set()
            stopping.wait(30)
            stopped.set()
        elif (error := errors.pop(0)) is not None:
            raise error

    thread = RestartingThread("some", run, pause_s=0.01, logger=logger, failure="not done, trying again")
    assert not thread.is_alive()
    thread.start()
    assert waits.wait(30)
    assert thread.is_alive()
    thread.stop()
    thread.join(30)
    assert stopped.is_set()
    assert not thread.is_alive()
    logged = [(record.levelname, record.getMessage(), bool(record.exc_info)) for record in caplog.records]
    assert logged == [
        ("WARNING", "not done, trying again in 0.01 s: no way", False),
        ("ERROR", "not done, trying again in 0.01 s", True),
    ]
