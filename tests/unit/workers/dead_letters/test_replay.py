"""A dead letter as a job again."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import dramatiq
import pytest

from workers.dead_letters.letter import DeadLetter, Origin, Reason
from workers.dead_letters.replay import revived, revived_batch
from workers.dead_letters.topic.letter_record import decode as decode_letter
from workers.dead_letters.topic.letter_record import encode
from workers.errors import WrongUsage
from workers.records.envelope import decode
from workers.records.headers import BATCH_HEADER
from workers.topics import Topics

TOPICS = Topics("todo")
MESSAGE = dramatiq.Message[None](
    "mail",
    "send",
    ({"email": "old@example.com", "tags": ["a"]},),
    {"urgent": True},
    {"key": "k", "retries": 3, "traceback": "...", "requeue_timestamp": 1, "max_retries": 5},
)


def letter_of(message: dramatiq.Message[Any], **fields: Any) -> DeadLetter:
    defaults: dict[str, Any] = {
        "reason": Reason.FAILED,
        "origin": Origin("todo.jobs.mail", 0, 5, 1),
        "value": message.encode(),
        "time_ms": 10,
        "group": "g",
        "job_key": b"k",
        "job_headers": (("schema", b"1"), ("message-id", message.message_id.encode()), ("queue", b"mail")),
        "message_id": message.message_id,
        "actor": message.actor_name,
        "queue": "mail",
    }
    return DeadLetter(**defaults | fields)


def test_the_job_keeps_its_id_and_key_and_begins_its_attempts_again() -> None:
    topic, record = revived(letter_of(MESSAGE), TOPICS, now_ms=77)
    assert (topic, record.key) == ("todo.jobs.mail", b"k")
    again = decode(record.value, "mail")
    assert again.options == {"key": "k", "max_retries": 5}
    assert (again.message_id, again.args, again.kwargs) == (MESSAGE.message_id, MESSAGE.args, MESSAGE.kwargs)


def test_a_job_that_was_never_retried_keeps_every_byte() -> None:
    message = dramatiq.Message[None]("mail", "send", (1,), {}, {})
    spaced = json.dumps(message.asdict(), indent=2).encode()
    _, record = revived(letter_of(message, value=spaced), TOPICS, now_ms=77)
    assert record.value == spaced


def test_what_is_no_message_keeps_every_byte_and_goes_where_it_came_from() -> None:
    letter = letter_of(
        MESSAGE,
        value=b"\xff{",
        message_id=None,
        reason=Reason.UNDECODABLE,
        job_headers=(("trace", b"\x00\xff"),),
    )
    topic, record = revived(letter, TOPICS, now_ms=77)
    assert (topic, record.key, record.value) == ("todo.jobs.mail", b"k", b"\xff{")
    assert record.headers[0] == ("trace", b"\x00\xff")
    with pytest.raises(WrongUsage, match="not a readable message"):
        revived(letter, TOPICS, now_ms=77, to="other")


def test_replays_are_counted_and_the_first_origin_stays_through_any_number_of_them() -> None:
    letter = letter_of(MESSAGE)
    assert (letter.replays, letter.key, letter.first_origin) == (0, letter.id.encode(), "todo.jobs.mail/0/5")
    for number in (1, 2):
        _, record = revived(letter, TOPICS, now_ms=100 * number)
        origin = Origin("todo.jobs.mail", 3, 50 + number, 2)
        letter = replace(letter, origin=origin, job_headers=tuple(record.headers))
        letter = decode_letter(encode(letter).value or b"", encode(letter).headers)
    assert letter.replayed_at_ms == (100, 200)
    assert (letter.id, letter.key) == (MESSAGE.message_id, f"{MESSAGE.message_id}~2".encode())
    assert letter.first_origin == "todo.jobs.mail/0/5"


def test_an_undecodable_one_keeps_its_id_through_a_replay() -> None:
    letter = letter_of(MESSAGE, value=b"?", message_id=None, reason=Reason.UNDECODABLE)
    _, record = revived(letter, TOPICS, now_ms=1)
    again = replace(letter, origin=Origin("todo.jobs.mail", 0, 99, 1), job_headers=tuple(record.headers))
    assert again.id == letter.id == "todo.jobs.mail/0/5"
    assert again.key == b"todo.jobs.mail/0/5~1"


def test_a_job_can_be_replayed_into_another_queue() -> None:
    topic, record = revived(letter_of(MESSAGE), TOPICS, now_ms=1, to="slow")
    assert topic == "todo.jobs.slow"
    assert json.loads(record.value or b"")["queue_name"] == "slow"
    assert dict(record.headers)["queue"] == b"slow"


@pytest.mark.parametrize("offsets", [b"", b"1", b"1-x", b"1-2-3", b"0-" + b"9" * 5_000])
def test_a_batch_without_its_offsets_is_told(offsets: bytes) -> None:
    batch = letter_of(MESSAGE, value=b"?", job_headers=((BATCH_HEADER, offsets),))
    with pytest.raises(WrongUsage, match="still cannot be read"):
        revived_batch(batch, TOPICS)
