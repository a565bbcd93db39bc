"""Events: what is accepted, what is refused and in which words, and that JSON keeps them exactly."""

from __future__ import annotations

import json
import traceback
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tasks.events.models import (
    CHANGEABLE,
    EVENT_TYPES,
    Change,
    Event,
    InvalidEvent,
    OtherEvent,
    TodoCreated,
    TodoUpdated,
    parse_any_event,
    parse_event,
    read_event,
)
from tasks.events.todos import Todo
from tasks.text import one_line
from tests.helpers.samples import DUE, KINDS, a_todo, an_event, an_owner

zones = st.builds(timezone, st.timedeltas(min_value=timedelta(hours=-14), max_value=timedelta(hours=14)))
times = st.datetimes(datetime(1970, 1, 2), datetime(9998, 12, 30), timezones=zones)  # noqa: DTZ001 - hypothesis wants it so
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
titles = texts.filter(lambda text: bool(one_line(text)))
names = st.sampled_from(["Europe/Berlin", "America/Sao_Paulo", "Asia/Kathmandu", "UTC"])
owners = st.builds(
    an_owner, name=titles, time_zone=names, language=st.sampled_from(["en", "pt-BR", "zh-Hans-CN"])
)
offsets = st.lists(st.sampled_from(["-1w", "-1d", "-90m", "-1h", "0m"]), max_size=4).map(tuple)
todos = st.builds(
    a_todo, title=titles, description=texts, due=st.none() | times, owner=owners, reminders=offsets
) | st.builds(a_todo, recurrence=st.sampled_from(["FREQ=DAILY", "RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=3"]))
changes = st.fixed_dictionaries(
    {"title": st.fixed_dictionaries({"before": titles, "after": titles})},
    optional={
        "due": st.fixed_dictionaries({"before": st.none() | times, "after": times}),
        "owner": st.fixed_dictionaries({"before": owners, "after": owners}),
        "description": st.fixed_dictionaries({"before": st.none(), "after": texts}),
        "reminders": st.fixed_dictionaries({"before": st.none(), "after": offsets}),
        "recurrence": st.fixed_dictionaries({"before": st.just("FREQ=DAILY"), "after": st.none()}),
    },
)
events = st.builds(
    an_event, st.sampled_from(["todo.created", "todo.completed", "todo.deleted"]), todo=todos, time=times
) | (st.builds(an_event, st.just("todo.updated"), todo=todos, time=times, changes=changes))


@given(events)
def test_an_event_equals_itself_after_a_trip_through_json(event: Event) -> None:
    sent = event.model_dump(mode="json")
    received = json.loads(json.dumps(sent))
    assert received == sent
    assert parse_event(received) == event
    assert type(event).model_validate_json(event.model_dump_json()) == event


def test_fields_of_a_newer_version_are_kept() -> None:
    data = an_event("todo.updated").model_dump(mode="json")
    data |= {"mood": ["happy", 1.5, None, {"very": True}]}
    data["todo"] |= {"colour": "red"}
    data["todo"]["owner"] |= {"nickname": "Aninha"}
    data["changes"]["colour"] = {"before": None, "after": {"name": "red"}, "why": "it was due"}
    event = parse_event(json.loads(json.dumps(data)))
    assert event.model_dump(mode="json") == data
    assert event.model_copy(update={"actor": "user:43"}).model_dump(mode="json")["mood"] == data["mood"]


def test_of_an_unknown_type_all_is_kept_and_only_what_every_event_has_is_checked() -> None:
    data = an_event().model_dump(mode="json", exclude={"todo"}) | {"type": "list.shared", "subject": "list-1"}
    event = parse_any_event(data | {"data": {"with": ["user:43"]}})
    assert isinstance(event, OtherEvent)
    assert event.todo_id == "list-1"
    assert event.data == {"with": ["user:43"]}
    assert parse_any_event(json.loads(event.model_dump_json())) == event
    with pytest.raises(InvalidEvent, match="event_id: Input should be a valid UUID"):
        parse_any_event(data | {"event_id": "one"})
    with pytest.raises(InvalidEvent, match=r"'list\.shared' is not one of"):
        parse_event(data)


def test_of_a_known_type_any_event_is_that() -> None:
    event = an_event()
    assert parse_any_event(event.model_dump(mode="json")) == event


def test_the_types_are_those_of_the_models() -> None:
    assert set(EVENT_TYPES) == set(KINDS) == {an_event(kind).type for kind in KINDS}


def test_what_can_change_is_every_field_but_the_id() -> None:
    assert set(CHANGEABLE) == set(Todo.model_fields) - {"id"}


def test_an_event_has_an_id_of_its_own_and_the_time_it_was_made() -> None:
    before = datetime.now(UTC)
    first, second = (TodoCreated(actor="user:42", todo=a_todo()) for _ in range(2))
    assert first.event_id != second.event_id
    assert before <= first.time <= datetime.now(UTC)


def test_an_event_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        an_event().actor = "someone else"  # type: ignore[misc]


def test_times_are_kept_in_utc() -> None:
    due = datetime(2026, 6, 5, 17, 0, tzinfo=timezone(timedelta(hours=2)))
    todo = a_todo(due=due)
    assert todo.due == due
    assert todo.due is not None
    assert todo.due.tzinfo is UTC


def test_changes_are_kept_as_json_values() -> None:
    event = an_event(
        "todo.updated",
        changes={
            "due": Change(before=None, after=DUE),
            "owner": Change(before=an_owner(), after=an_owner(name="Ben")),
        },
    )
    assert isinstance(event, TodoUpdated)
    assert event.changes["due"].after == "2026-06-05T15:00:00Z"
    owner = event.changes["owner"].after
    assert isinstance(owner, dict)
    assert owner["name"] == "Ben"


TODO: dict[str, Any] = a_todo().model_dump(mode="json")


def todo_with(**fields: Any) -> dict[str, Any]:
    return {"todo": {**TODO, **fields}}


def owner_with(**fields: Any) -> dict[str, Any]:
    return todo_with(owner={**TODO["owner"], **fields})


def update(changes: object) -> dict[str, Any]:
    return {"type": "todo.updated", "changes": changes}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"type": "todo.create"}, "did you mean todo.created?"),
        ({"type": None}, "type: 'None' is not one of todo.created"),
        ({"actor": " \x1b\u202e"}, "actor: must not be blank"),
        ({"mood": "a\0b"}, "mood: must not contain the character U+0000"),
        ({"mood": [{"a\0": 1}]}, "mood: must not contain the character U+0000"),
        ({"mood": float("nan")}, "mood: must not contain NaN"),
        ({"mood": "\ud800"}, "mood: must not contain half a surrogate"),
        ({"time": "2026-06-05T17:00:00"}, "time: Input should have timezone info"),
        ({"time": 1780000000}, "time: must be a time with its zone"),
        ({"time": "1780000000"}, "time: must be a time with its zone"),
        ({"time": "0001-01-01T00:00:00+05:00"}, "time: must lie between"),
        ({"time": "9999-01-01T00:00:00Z"}, "time: must lie between"),
        ({"todo": None}, "todo: Input should be a valid dictionary"),
        (todo_with(id=""), "todo.id: must not be blank"),
        (todo_with(id="a\nb"), "todo.id: must not contain control characters"),
        (todo_with(title="  "), "todo.title: must not be blank"),
        (todo_with(title="x" * 10_001), "todo.title: String should have at most 10000"),
        (todo_with(title="a\0b"), "todo.title: must not contain the character U"),
        (todo_with(title="\ud800"), "todo.title: Input should be a valid string"),
        (
            owner_with(email="ana"),
            "ana@example.com: An email address must have an @-sign",
        ),
        (owner_with(email="ana@example.com\r\nBcc: eve@example.com"), "todo.owner.email: is not"),
        (owner_with(email="ana@example.com\n"), "todo.owner.email: is not"),
        (owner_with(email="Ana <ana@example.com>"), "todo.owner.email: is not"),
        (owner_with(email="a..b@example.com"), "todo.owner.email: is not"),
        (owner_with(time_zone="Europe/Berln"), "did you mean Europe/Berlin?"),
        (owner_with(time_zone="../../etc/passwd"), "is not an IANA time zone"),
        (owner_with(time_zone="Europe"), "is not an IANA time zone"),
        (owner_with(time_zone=""), "is not an IANA time zone"),
        (owner_with(language="en_GB"), "todo.owner.language: is not a language tag"),
        (todo_with(reminders=["soon"]), "todo.reminders.0: should be like -1d, -1h, -15m or 0m, not 'soon'"),
        (todo_with(reminders=["1h"]), "todo.reminders.0: should be like -1d"),
        (todo_with(reminders=["-367d"]), "todo.reminders.0: may be 366 days before, not -367d"),
        (todo_with(reminders=["-1h"] * 21), "todo.reminders: Tuple should have at most 20 items"),
        (todo_with(recurrence="FREQ=DAYLY"), "todo.recurrence: FREQ may be YEARLY, MONTHLY, WEEKLY, DAILY"),
        (todo_with(recurrence="FREQ=SECONDLY"), "todo.recurrence: may not come every second: 5 minutes must"),
        (todo_with(recurrence="FREQ=DAILY", due=None), "todo: recurrence: needs a due time to count from"),
        (
            todo_with(recurrence="FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"),
            "todo: recurrence: has no occurrence within a hundred years",
        ),
        (update({"reminders": {"before": None, "after": ["-1x"]}}), "changes: reminders: 0: should be like"),
        (update({"recurrence": {"before": None, "after": "DAILY"}}), "changes: recurrence: needs NAME=VALUE"),
        (update({}), "changes: Dictionary should have at least 1 item"),
        (
            update({"id": {"before": "1", "after": "2"}}),
            "changes: id: the id of a todo cannot change",
        ),
        (
            update({"due": {"before": None, "after": "soon"}}),
            "changes: due: Input should be a valid datetime",
        ),
        (update({"title": {"before": "x", "after": 5}}), "changes: title: Input should be a valid string"),
        (update({"title": {"before": "x"}}), "changes.title.after: Field required"),
    ],
)
def test_what_is_wrong_is_said_in_words(fields: dict[str, Any], words: str) -> None:
    data = an_event().model_dump(mode="json") | fields
    with pytest.raises(InvalidEvent) as caught:
        parse_event(data)
    assert words in str(caught.value)


NAMELESS = "the name of a field must not contain the character U+0000"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"mo\0od": 1}, f"event: mood: {NAMELESS}"),
        (todo_with(**{"mo\0od": 1}), f"event: todo.mood: {NAMELESS}"),
        (owner_with(**{"mo\0od": 1}), f"event: todo.owner.mood: {NAMELESS}"),
        ({"cloudevent": {"mo\0od": 1}}, f"event: cloudevent.mood: {NAMELESS}"),
        (update({"mo\0od": {"before": 1, "after": 2}}), f"event: changes.mood: {NAMELESS}"),
        (update({"title": {"before": "x", "after": "y", "mo\0od": 1}}), f"changes.title.mood: {NAMELESS}"),
        (update({"owner": {"before": None, "after": {**TODO["owner"], "mo\0od": 1}}}), "changes"),
        (update({"\ud800": {"before": 1, "after": 2}}), "must not contain half a surrogate"),
        ({"\ud800": 1}, "Input should be a valid string"),
    ],
)
def test_a_name_that_cannot_be_stored_is_refused_wherever_it_stands(
    fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidEvent) as caught:
        read_event(an_event().model_dump(mode="json") | fields)
    assert words in str(caught.value)


@pytest.mark.parametrize("data", [None, [], "todo.created", 5, {}])
def test_what_is_no_event_at_all_is_refused(data: object) -> None:
    with pytest.raises(InvalidEvent, match="Not a valid todo event"):
        parse_event(data)


@pytest.mark.parametrize("field", ["email", "language"])
def test_what_was_given_is_not_in_what_a_log_shows(field: str) -> None:
    wrong = an_event("todo.updated").model_dump(mode="json")
    wrong["todo"]["owner"][field] = "Ann-Smith@home@"
    wrong["changes"] = {"owner": {"before": None, "after": wrong["todo"]["owner"]}}
    with pytest.raises(InvalidEvent, match=f"todo.owner.{field}") as caught:
        parse_event(wrong)
    assert "Ann-Smith" not in "".join(traceback.format_exception(caught.value))


def test_all_that_is_wrong_is_said_at_once() -> None:
    data = an_event().model_dump(mode="json") | {"actor": ""} | todo_with(title="")
    with pytest.raises(InvalidEvent, match=r"actor: .*; todo\.title: "):
        parse_event(data)
