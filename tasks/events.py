"""The facts that the chatbot publishes about todos. Pure: no I/O; the clock is read only for default values.

Models are frozen and refuse unknown fields. Every time is kept in UTC, so that an event equals itself
after a trip through JSON; the zone that a person reads times in is ``Owner.time_zone``.
"""

from __future__ import annotations

import difflib
import re
import zoneinfo
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    TypeAdapter,
    ValidationError,
    field_validator,
)
from pydantic_core import to_jsonable_python

from workers.errors import WorkersError

from .text import one_line

#: Longest title and longest description, in characters. An update carries each three times, and a
#: character takes up to 12 bytes in JSON: the largest event stays below the 1 MB that Kafka accepts.
MAX_TEXT_LENGTH = 10_000

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_EMAIL = re.compile(rf"{_ATOM}(\.{_ATOM})*@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
#: Times in this range exist in every time zone.
_OUT_OF_RANGE = "must lie between the years 1970 and 9998"

_NUMBER = re.compile(r"[\d\s.+-]*")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class InvalidEvent(WorkersError, ValueError):
    """The data is not a valid todo event."""


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain the character U+0000, which PostgreSQL cannot store")
    return text


def _not_blank(text: str) -> str:
    if not one_line(text):
        raise ValueError("must not be blank")
    return text


def _without_controls(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("must not contain control characters or line breaks")
    return text


def _email(address: str) -> str:
    if not _EMAIL.fullmatch(address):
        raise ValueError("is not an ASCII e-mail address like ana@example.com")
    return address


def _language(tag: str) -> str:
    if not _LANGUAGE.fullmatch(tag):
        raise ValueError("is not a language tag like en or pt-BR")
    return tag


def _time_zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError) as exc:
        near = difflib.get_close_matches(name, zoneinfo.available_timezones(), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"{name[:60]!r} is not an IANA time zone like Europe/Berlin{hint}") from exc
    return name


def _not_a_number(value: object) -> object:
    # pydantic takes numbers for times, and guesses between seconds and milliseconds.
    if isinstance(value, int | float) or (isinstance(value, str) and _NUMBER.fullmatch(value)):
        raise ValueError("must be a time with its zone, like 2026-06-05T17:00:00+02:00")
    return value


def _to_utc(time: datetime) -> datetime:
    try:
        utc = time.astimezone(UTC)
    except OverflowError as exc:
        raise ValueError(_OUT_OF_RANGE) from exc
    if not 1970 <= utc.year <= 9998:
        raise ValueError(_OUT_OF_RANGE)
    return utc


Text = Annotated[str, Field(max_length=MAX_TEXT_LENGTH), AfterValidator(_without_nul)]
Title = Annotated[Text, AfterValidator(_not_blank)]
Name = Annotated[str, Field(max_length=200), AfterValidator(_not_blank), AfterValidator(_without_nul)]
Identifier = Annotated[
    str, Field(max_length=200), AfterValidator(_not_blank), AfterValidator(_without_controls)
]
Email = Annotated[str, Field(max_length=254), AfterValidator(_email)]
Time = Annotated[AwareDatetime, BeforeValidator(_not_a_number), AfterValidator(_to_utc)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Owner(_Model):
    """The person whose todo it is, and who is notified."""

    name: Name
    email: Email
    time_zone: Annotated[str, Field(max_length=100), AfterValidator(_time_zone)] = "UTC"
    language: Annotated[str, Field(max_length=35), AfterValidator(_language)] = "en"


class Todo(_Model):
    """A todo as it is after the event; for a deleted one, as it was last."""

    id: Identifier
    title: Title
    description: Text = ""
    due: Time | None = None
    owner: Owner


class Change(_Model):
    """What one field of a todo was and what it is now, as JSON values; None is no value."""

    before: Annotated[JsonValue, BeforeValidator(to_jsonable_python)]
    after: Annotated[JsonValue, BeforeValidator(to_jsonable_python)]


#: The fields that an update may change, with the type of their values.
CHANGEABLE: dict[str, TypeAdapter[Any]] = {
    "title": TypeAdapter(Title | None),
    "description": TypeAdapter(Text | None),
    "due": TypeAdapter(Time | None),
    "owner": TypeAdapter(Owner | None),
}


class TodoEvent(_Model):
    """What every event carries. ``actor`` is whoever did it, for example ``user:42``."""

    type: str
    event_id: UUID = Field(default_factory=uuid4)
    time: Time = Field(default_factory=lambda: datetime.now(UTC))
    actor: Name
    todo: Todo


class TodoCreated(TodoEvent):
    """A todo was created."""

    type: Literal["todo.created"] = "todo.created"


class TodoUpdated(TodoEvent):
    """A todo was changed; ``changes`` has an entry for each field that was."""

    type: Literal["todo.updated"] = "todo.updated"
    changes: dict[str, Change] = Field(min_length=1)

    @field_validator("changes")
    @classmethod
    def _fit_the_fields(cls, changes: dict[str, Change]) -> dict[str, Change]:
        return {
            name: Change(before=_fit(name, change.before), after=_fit(name, change.after))
            for name, change in changes.items()
        }


class TodoCompleted(TodoEvent):
    """A todo was completed."""

    type: Literal["todo.completed"] = "todo.completed"


class TodoDeleted(TodoEvent):
    """A todo was deleted."""

    type: Literal["todo.deleted"] = "todo.deleted"


Event = Annotated[TodoCreated | TodoUpdated | TodoCompleted | TodoDeleted, Field(discriminator="type")]

#: The values of ``type``.
EVENT_TYPES = ("todo.created", "todo.updated", "todo.completed", "todo.deleted")

_EVENT: TypeAdapter[Event] = TypeAdapter(Event)
_FIELD_NAMES = {name for model in (Owner, Todo, Change, TodoUpdated) for name in model.model_fields}


def parse_event(data: object) -> Event:
    """Read an event from what ``event.model_dump(mode="json")`` gives, or from a mapping like it.

    Raises:
        InvalidEvent: it does not validate; the text says what is wrong with each field.
    """
    try:
        return _EVENT.validate_python(dict(data) if isinstance(data, Mapping) else data)
    except ValidationError as exc:
        raise InvalidEvent(f"Not a valid todo event: {_problems(exc)}") from exc


def _fit(name: str, value: JsonValue) -> Any:
    if name not in CHANGEABLE:
        raise ValueError(f"{name!r} is not a field that can change; those are {', '.join(CHANGEABLE)}")
    try:
        field = CHANGEABLE[name]
        return field.dump_python(field.validate_python(value), mode="json")
    except ValidationError as exc:
        raise ValueError(f"{name}: {_problems(exc)}") from exc


def _problems(error: ValidationError) -> str:
    return "; ".join(
        _problem(details["type"], [str(part) for part in details["loc"] if part not in EVENT_TYPES], details)
        for details in error.errors(include_url=False, include_input=False)
    )


def _problem(kind: str, place: list[str], details: Any) -> str:
    text = str(details["msg"]).removeprefix("Value error, ")
    if kind == "union_tag_invalid":
        tag = details["ctx"]["tag"]
        text = f"type: {tag!r} is not one of {', '.join(EVENT_TYPES)}{_nearest(tag, EVENT_TYPES)}"
    elif kind == "union_tag_not_found":
        text = f"type: missing; it is one of {', '.join(EVENT_TYPES)}"
    elif kind == "extra_forbidden":
        text = f"there is no such field{_nearest(place[-1], _FIELD_NAMES)}"
    return f"{'.'.join(place)}: {text}" if place else text


def _nearest(name: str, known: Any) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""
