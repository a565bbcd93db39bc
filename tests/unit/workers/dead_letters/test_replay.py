"""A dead letter as a job again."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import dramatiq
import pytest

from tests.helpers.records import Consumed
from workers.dead_letters.letter import DeadLetter, Origin, Reason
from workers.dead_letters.replay import revived, revived_batch
from workers.dead_letters.topic.letter_record import decode as decode_letter
from workers.dead_letters.topic.letter_record import encode
from workers.errors import WrongUsage
from workers.kafka import TopicPartition
from workers.records.envelope import decode
from workers.records.headers import BATCH_HEADER, SOURCE_HEADER, TOO_LONG_HEADER
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


def nothing_is_read_again(*_: object) -> list[Consumed]:
    raise AssertionError("the letter keeps the batch")


@pytest.mark.parametrize("offsets", [b"", b"1", b"1-x", b"1-2-3", b"0-" + b"9" * 5_000])
def test_a_batch_without_its_offsets_is_told(offsets: bytes) -> None:
    batch = letter_of(MESSAGE, value=b"?", job_headers=((BATCH_HEADER, offsets),))
    with pytest.raises(WrongUsage, match="still cannot be read"):
        revived_batch(batch, TOPICS, nothing_is_read_again)


#: A batch of a source that was too long to keep.
LONG_BATCH = {
    "value": b"beginning",
    "origin": Origin("numbers", 3, 9, -1),
    "job_headers": (
        (TOO_LONG_HEADER, b"2000000"),
        (SOURCE_HEADER, b"numbers"),
        (BATCH_HEADER, b"7-9"),
    ),
}


def numbers(*offsets: int, **fields: Any) -> list[Consumed]:
    return [Consumed("numbers", 3, offset, **fields) for offset in offsets]


def test_a_batch_that_was_too_long_to_keep_is_read_again_from_its_log() -> None:
    asked: list[tuple[TopicPartition, int, int]] = []

    def read_again(*place: Any) -> list[Consumed]:
        asked.append(place)
        return numbers(6, 7, 9, 10)

    found = revived_batch(letter_of(MESSAGE, **LONG_BATCH), TOPICS, read_again)
    assert asked == [(TopicPartition("numbers", 3), 7, 9)]
    assert found is not None
    assert [(topic, record.value, dict(record.headers)) for topic, record in found] == [
        ("todo.jobs.mail", b"value", {"source-topic": b"numbers", "first-origin": b"numbers/3/7"}),
        ("todo.jobs.mail", b"value", {"source-topic": b"numbers", "first-origin": b"numbers/3/9"}),
    ]


def test_one_that_is_no_longer_in_its_log_is_told() -> None:
    with pytest.raises(WrongUsage) as told:
        revived_batch(letter_of(MESSAGE, **LONG_BATCH), TOPICS, lambda *_: [])
    text = str(told.value)
    assert "offsets 7 to 9 of numbers/3 are no longer in the log, and of the batch's 2000000 bytes" in text
    assert "have their records sent again, then discard this" in text


@pytest.mark.parametrize("offset", [8, 9, 20])
def test_one_that_still_cannot_be_read_is_told_whatever_else_its_batch_holds(offset: int) -> None:
    unread = Consumed("numbers", 3, offset, unreadable="no codec", first=7)
    with pytest.raises(WrongUsage, match="still cannot be read: no codec"):
        revived_batch(letter_of(MESSAGE, **LONG_BATCH), TOPICS, lambda *_: [unread])


def test_nothing_is_sent_of_a_batch_of_which_a_record_is_too_large_for_any_topic() -> None:
    records = [*numbers(7), *numbers(8, value=b"x" * 3_000_000), *numbers(9)]
    with pytest.raises(WrongUsage, match=r"its record at offset 8 is 3000\d\d\d bytes, at most") as told:
        revived_batch(letter_of(MESSAGE, **LONG_BATCH), TOPICS, lambda *_: records)
    assert "cannot be replayed" in str(told.value)


def test_a_batch_that_was_too_long_to_keep_cannot_be_changed() -> None:
    with pytest.raises(WrongUsage, match="cannot be changed: it is not a readable message"):
        revived(letter_of(MESSAGE, **LONG_BATCH), TOPICS, now_ms=1, to="slow")
