"""Edited arguments of a replayed job."""

from __future__ import annotations

import dataclasses
import typing
from datetime import UTC, datetime
from typing import Any

import dramatiq
import pytest

from tests.helpers.samples import an_event
from workers.dead_letters.edits import check_arguments, edited, parse_edit
from workers.errors import WrongUsage

MESSAGE = dramatiq.Message[None](
    "mail",
    "send",
    ({"email": "old@example.com", "tags": ["a"]},),
    {"urgent": True},
    {"key": "k"},
)


def test_arguments_are_edited() -> None:
    edits = [
        parse_edit("args.0.email=new@example.com"),
        parse_edit("args.0.tags.0=b"),
        parse_edit("kwargs.urgent=false"),
        parse_edit('kwargs.extra={"a": [1]}'),
    ]
    message = edited(MESSAGE, edits)
    assert message.args == ({"email": "new@example.com", "tags": ["b"]},)
    assert message.kwargs == {"urgent": False, "extra": {"a": [1]}}
    assert MESSAGE.args[0]["email"] == "old@example.com"


def test_what_is_not_edited_is_not_touched_whatever_type_it_has() -> None:
    when = datetime(2026, 1, 1, tzinfo=UTC)
    message = MESSAGE.copy(args=({"at": when, "to": {"email": "old"}}, b"\xff"), kwargs={})
    again = edited(message, [parse_edit("args.0.to.email=new")])
    assert again.args == ({"at": when, "to": {"email": "new"}}, b"\xff")
    assert again.args[0]["at"] is when
    assert message.args[0]["to"] == {"email": "old"}
    assert edited(message, []) is message


@pytest.mark.parametrize(
    "text", ["args.1=x", "args.0.tags.5=x", "args.0.email.deeper=x", "args.x=1", "kwargs.no.way=1"]
)
def test_a_place_that_is_not_there_is_refused(text: str) -> None:
    with pytest.raises(WrongUsage, match="has no"):
        edited(MESSAGE, [parse_edit(text)])


@pytest.mark.parametrize("text", ["args.0", "args=1", "options.key=1", "=", "x.0=1"])
def test_what_is_no_edit_is_refused(text: str) -> None:
    with pytest.raises(WrongUsage, match="such as"):
        parse_edit(text)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("NaN", "NaN is no number"),
        ('{"a": [-Infinity]}', "-Infinity is no number"),
        ("1e999", "1e999 is no number"),
        ("[" * 100_000, "nested too deep"),
    ],
)
def test_a_value_that_json_cannot_have_is_refused(value: str, problem: str) -> None:
    with pytest.raises(WrongUsage, match=rf"^--set args\.0: .*{problem}.*double quotes$"):
        parse_edit(f"args.0={value}")


@pytest.mark.parametrize(
    ("value", "read"),
    [('"NaN"', "NaN"), ("Infinity Ltd", "Infinity Ltd"), ("NaN, or so", "NaN, or so"), ("1.5e3", 1500.0)],
)
def test_a_text_may_begin_as_such_a_value(value: str, read: object) -> None:
    assert parse_edit(f"args.0={value}").value == read


def test_arguments_are_checked_against_the_actor() -> None:
    def send(person: dict[str, Any], urgent: bool = False, count: int = 0) -> None: ...

    check_arguments(send, MESSAGE)
    with pytest.raises(WrongUsage, match="does not take these arguments"):
        check_arguments(send, MESSAGE.copy(kwargs={"other": 1}))
    with pytest.raises(WrongUsage, match="does not take this count"):
        check_arguments(send, MESSAGE.copy(kwargs={"count": "many"}))


@pytest.mark.parametrize("frozen", [False, True], ids=["no hash", "a hash that fails"])
def test_an_actor_may_be_an_object_without_a_hash(frozen: bool) -> None:
    def call(_self: Any, person: dict[str, Any], urgent: bool = False, count: int = 0) -> None: ...

    made = dataclasses.make_dataclass("Send", [("names", list)], namespace={"__call__": call}, frozen=frozen)
    check_arguments(made([]), MESSAGE)
    with pytest.raises(WrongUsage, match="does not take these arguments"):
        check_arguments(made([]), MESSAGE.copy(kwargs={"other": 1}))


def test_each_of_any_number_of_arguments_is_checked() -> None:
    def send(*people: dict[str, Any], **flags: bool) -> None: ...

    check_arguments(send, MESSAGE)
    with pytest.raises(WrongUsage, match="does not take this people"):
        check_arguments(send, MESSAGE.copy(args=({}, "ann")))
    with pytest.raises(WrongUsage, match="does not take this flags"):
        check_arguments(send, MESSAGE.copy(kwargs={"urgent": "perhaps"}))


class Person(typing.TypedDict):  # pydantic takes that of typing_extensions before Python 3.12
    email: str


@dataclasses.dataclass
class Letter:
    to: NotHere  # type: ignore[name-defined] # noqa: F821 - as of an import for type checkers only


class Opaque:
    pass


@pytest.mark.parametrize("annotation", [Person, list[Person], Letter, Opaque])
def test_what_pydantic_cannot_check_is_not_checked_and_the_rest_is(annotation: Any) -> None:
    def send(person: Any, urgent: bool = False) -> None: ...

    send.__annotations__["person"] = annotation
    person: Any = {"email": "ann@example.com", "to": "bob"}
    # Right ones, as a newer Python's pydantic does check some of these.
    message = MESSAGE.copy(args=([person] if annotation == list[Person] else person,))
    check_arguments(send, message)
    with pytest.raises(WrongUsage, match="does not take this urgent"):
        check_arguments(send, message.copy(kwargs={"urgent": "perhaps"}))


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
