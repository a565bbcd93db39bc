"""Fills a topic with dead letters as an application has them."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import replace
from typing import Any

from workers import KafkaBroker
from workers.dead_letters.letter import DeadLetter, Origin, Reason
from workers.dead_letters.topic.letter_record import encode
from workers.records.envelope import Record

from ...errors import NotMeasured

#: Records that are on their way at once.
_UNDER_WAY = 5_000
#: Numbers of letters that :func:`fill` does not use.
_NEW = itertools.count(50_000_000)
_ERRORS = (
    ("builtins.ValueError", "no row {} of user-{}@example.com"),
    ("builtins.KeyError", "'todo-{}'"),
    ("builtins.TimeoutError", "no answer of 10.0.0.{} after {} s"),
    ("smtplib.SMTPRecipientsRefused", "550 <user-{}@example.com> is unknown here"),
)
_TRACEBACK = "Traceback (most recent call last):\n" + '  File "app.py", line 12, in send\n    ask()\n' * 6


def letter(number: int, queue: str, now_ms: int) -> DeadLetter:
    """One of them, up to nine hours old."""
    letter_id = f"{queue}-{number:08d}-4f1c-9a52-3f6b2d7c11aa"
    exception, said = _ERRORS[number % len(_ERRORS)]
    job = {
        "queue_name": queue,
        "actor_name": f"send_{queue}",
        "args": [f"user-{number}@example.com", {"id": f"todo-{number}", "title": "Water the plants"}],
        "kwargs": {},
        "options": {},
        "message_id": letter_id,
        "message_timestamp": now_ms - 60_000,
    }
    return DeadLetter(
        reason=Reason.FAILED if number % 20 else Reason.CRASHED,
        origin=Origin(f"bench.jobs.{queue}", number % 8, number, now_ms),
        value=json.dumps(job, separators=(",", ":")).encode(),
        time_ms=now_ms - number % 10 * 3_600_000 - number % 1_000,
        group=f"bench.workers.{queue}",
        message_id=letter_id,
        actor=f"send_{queue}",
        queue=queue,
        attempts=1 + number % 3,
        exception_type=exception,
        exception_message=said.format(number, number % 97),
        traceback=_TRACEBACK,
    )


def fill(broker: KafkaBroker, queue: str, count: int) -> None:
    """Write so many letters, and wait until Kafka has them. Raises NotMeasured."""
    broker.prepare()
    futures = []
    for number in range(count):
        futures.append(broker.producer.send(broker.topics.dead_letters, _record(number, queue)))
        if len(futures) == _UNDER_WAY:
            _wait(futures)
    _wait(futures)


def one_more(broker: KafkaBroker) -> str:
    """Write another letter, the newest; returns its id."""
    now_ms = int(time.time() * 1000)
    made = replace(letter(next(_NEW), "mail", now_ms), time_ms=now_ms)
    broker.producer.deliver(broker.topics.dead_letters, encode(made))
    return made.id


def _record(number: int, queue: str) -> Record:
    return encode(letter(number, queue, int(time.time() * 1000)))


def _wait(futures: list[Any]) -> None:
    for future in futures:
        try:
            future.get(timeout=60)
        except Exception as exc:
            raise NotMeasured(f"dead letters were not written: {exc}") from exc
    futures.clear()
