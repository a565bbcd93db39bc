"""A dead letter as a job again."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import dramatiq
import pytest

from tests.helpers.samples import an_event
from workers.dead_letters.letter import DeadLetter, Origin, Reason
from workers.dead_letters.letter_record import decode as decode_letter
from workers.dead_letters.letter_record import encode
from workers.dead_letters.replay import check_arguments, mended, parse_edit, revived
from workers.errors import WrongUsage
from workers.records.envelope import decode
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


def test_another_queue() -> None:
    topic, record = revived(letter_of(MESSAGE), TOPICS, now_ms=1, to="slow")
    assert topic == "todo.jobs.slow"
    assert json.loads(record.value or b"")["queue_name"] == "slow"
    assert dict(record.headers)["queue"] == b"slow"


def test_arguments_are_mended() -> None:
    edits = [
        parse_edit("args.0.email=new@example.com"),
        parse_edit("args.0.tags.0=b"),
        parse_edit("kwargs.urgent=false"),
        parse_edit('kwargs.extra={"a": [1]}'),
    ]
    message = mended(MESSAGE, edits)
    assert message.args == ({"email": "new@example.com", "tags": ["b"]},)
    assert message.kwargs == {"urgent": False, "extra": {"a": [1]}}
    assert MESSAGE.args[0]["email"] == "old@example.com"


@pytest.mark.parametrize(
    "text", ["args.1=x", "args.0.tags.5=x", "args.0.email.deeper=x", "args.x=1", "kwargs.no.way=1"]
)
def test_a_place_that_is_not_there_is_refused(text: str) -> None:
    with pytest.raises(WrongUsage, match="has no"):
        mended(MESSAGE, [parse_edit(text)])


@pytest.mark.parametrize("text", ["args.0", "args=1", "options.key=1", "=", "x.0=1"])
def test_what_is_no_edit_is_refused(text: str) -> None:
    with pytest.raises(WrongUsage, match="such as"):
        parse_edit(text)


def test_arguments_are_checked_against_the_actor() -> None:
    def send(person: dict[str, Any], urgent: bool = False, count: int = 0) -> None: ...

    check_arguments(send, MESSAGE)
    with pytest.raises(WrongUsage, match="does not take these arguments"):
        check_arguments(send, MESSAGE.copy(kwargs={"other": 1}))
    with pytest.raises(WrongUsage, match="does not take this count"):
        check_arguments(send, MESSAGE.copy(kwargs={"count": "many"}))


def test_each_of_any_number_of_arguments_is_checked() -> None:
    def send(*people: dict[str, Any], **flags: bool) -> None: ...

    check_arguments(send, MESSAGE)
    with pytest.raises(WrongUsage, match="does not take this people"):
        check_arguments(send, MESSAGE.copy(args=({}, "ann")))
    with pytest.raises(WrongUsage, match="does not take this flags"):
        check_arguments(send, MESSAGE.copy(kwargs={"urgent": "perhaps"}))


def test_the_chatbots_arguments_are_checked_for_what_they_mean() -> None:
    from tasks.actors.audit import record_audit  # noqa: PLC0415 - it reads the settings
    from tasks.actors.notifications import send_notice  # noqa: PLC0415

    event = an_event().model_dump(mode="json")
    check_arguments(record_audit.fn, record_audit.message(event))
    owner = event["todo"]["owner"] | {"email": "ana@@example.com"}
    wrong = record_audit.message(event | {"todo": event["todo"] | {"owner": owner}})
    with pytest.raises(WrongUsage, match=r"this event: event: Not a valid todo event: todo\.owner\.email"):
        check_arguments(record_audit.fn, wrong)
    with pytest.raises(WrongUsage, match=r"does not take this notice: .*kind"):
        check_arguments(send_notice.fn, send_notice.message({"kind": "?"}))
