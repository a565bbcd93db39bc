"""Logs as JSON: one object a line, with the job that the line is about.

No line has a job's arguments. The text of an error may name what it is about.
"""

from __future__ import annotations

import json
import logging
import threading
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from ..traces import active

Format = Literal["plain", "json"]

_preferred: Format = "plain"


class Job(Protocol):
    """The job that a thread runs."""

    message_id: str
    actor_name: str
    queue_name: str
    attempt: int

    @property
    def trace_id(self) -> str | None:
        """The trace that it belongs to, in hexadecimal."""


class _Running(threading.local):
    job: Job | None = None


_running = _Running()


def prefer(preferred: Format) -> None:
    """Say how this process is to log; :func:`set_up` makes it so."""
    global _preferred  # noqa: PLW0603 - one log for the whole process
    _preferred = preferred


def set_up(plain: str | None = None) -> None:
    """Have this process log as was preferred: JSON, or plain lines of the format ``plain``.

    Handlers of the root logger stay, and write JSON then; without any, it logs to standard error. Without
    ``plain``, a plain log stays as it is.
    """
    if _preferred == "json" or plain is not None:
        logging.basicConfig(level=logging.INFO, format=plain or "%(message)s")
    if _preferred == "json":
        for handler in logging.getLogger().handlers:
            handler.setFormatter(JsonFormatter())


def note_running(job: Job | None) -> None:
    """Say which job this thread runs from now on; None if it runs none."""
    _running.job = job


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON, in ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "thread": record.threadName,
            "message": record.getMessage(),
        }
        job = _running.job
        if job is not None:
            fields |= {
                "job_id": job.message_id,
                "actor": job.actor_name,
                "queue": job.queue_name,
                "attempt": job.attempt,
            }
        if (ids := active.ids()) is not None:
            fields["trace_id"], fields["span_id"] = ids
        elif job is not None and (trace_id := job.trace_id) is not None:
            fields["trace_id"] = trace_id
        if record.exc_info and record.exc_info[0] is not None:
            fields["error"] = record.exc_info[0].__name__
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields)
