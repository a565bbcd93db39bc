"""Logs as JSON: one object a line, with the job that a thread runs."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from io import StringIO
from queue import SimpleQueue
from typing import Any

import dramatiq
import pytest

from tests.helpers.records import Consumed
from workers.kafka import OffsetAndMetadata, TopicPartition
from workers.middleware.names_job_in_logs import NamesJobInLogs
from workers.partitions.owned_partition import OwnedPartition
from workers.partitions.taken_message import TakenMessage
from workers.runtime import logs
from workers.runtime.logs import JsonFormatter

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, StringIO]]:
    written = StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("tests.json")
    logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(logging.INFO)
    yield logger, written
    logger.removeHandler(handler)
    logs.note_running(None)


def lines(written: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def a_job(*headers: tuple[str, bytes]) -> TakenMessage:
    message: dramatiq.Message[Any] = dramatiq.Message(
        "letters", "write", ("ana@example.com",), {}, {"retries": 2}
    )
    owned = OwnedPartition(TopicPartition("todo.jobs.letters", 0), OffsetAndMetadata(0, "", -1))
    return TakenMessage(message, Consumed(headers=headers), owned, SimpleQueue())


def test_a_line_is_one_object_whatever_is_in_it(log: tuple[logging.Logger, StringIO]) -> None:
    logger, written = log
    logger.warning("two\nlines, %s and a NUL \0", "\u2028 a separator")
    try:
        int("told\non purpose")
    except ValueError:
        logger.exception("failed")
    first, second = lines(written)
    assert first["message"] == "two\nlines, \u2028 a separator and a NUL \0"
    assert (first["level"], first["logger"]) == ("WARNING", "tests.json")
    assert first["time"].endswith("+00:00")
    assert "job_id" not in first
    assert second["error"] == "ValueError"
    assert "told" in second["traceback"]


def test_a_line_can_be_written_to_any_stream() -> None:
    """Half a surrogate pair, as a title of a todo may have, is no character that UTF-8 can write."""
    record = logging.LogRecord("tests.json", logging.INFO, "", 0, "half \ud800 a pair", (), None)
    line = JsonFormatter().format(record)
    assert line.isascii()
    assert json.loads(line)["message"] == "half \ud800 a pair"


def test_lines_of_a_job_name_it_without_its_arguments(log: tuple[logging.Logger, StringIO]) -> None:
    logger, written = log
    job, middleware = a_job(("traceparent", f"00-{TRACE}-b7ad6b7169203331-01".encode())), NamesJobInLogs()
    broker = dramatiq.get_broker()
    middleware.before_process_message(broker, job)
    logger.info("running")
    middleware.after_process_message(broker, job)
    logger.info("idle")
    running, idle = lines(written)
    named = {name: running[name] for name in ("job_id", "actor", "queue", "attempt", "trace_id")}
    assert named == {
        "job_id": job.message_id,
        "actor": "write",
        "queue": "letters",
        "attempt": 3,
        "trace_id": TRACE,
    }
    assert "ana@example.com" not in written.getvalue()
    assert "job_id" not in idle


@pytest.mark.parametrize(
    "header", [b"", b"00-short-b7ad6b7169203331-01", b"\xff", b"00-" + b"g" * 32 + b"-1-1"]
)
def test_a_trace_that_makes_no_sense_is_left_out(header: bytes) -> None:
    assert a_job(("traceparent", header)).trace_id is None
