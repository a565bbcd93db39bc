"""The field types of events, each with its check. Pure."""

from __future__ import annotations

import math
import re
import zoneinfo
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    JsonValue,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import to_jsonable_python

from settings.addresses import mail_address
from workers.display.spelling import did_you_mean

from ..schedules.offsets import parse_offset
from ..schedules.rules import parse_rule
from ..schedules.zones import zone_named
from ..text import one_line

#: Longest title and longest description, in characters. An update carries each of them three times and a
#: character takes up to 12 bytes in JSON, so the largest event stays below the 1 MB that Kafka accepts.
MAX_TEXT_LENGTH = 10_000

#: How many reminders a todo may have.
MAX_REMINDERS = 20

#: Times within this range exist in every time zone.
_OUT_OF_RANGE = "must lie between the years 1970 and 9998"

_NUMBER = re.compile(r"[\d\s.+-]*")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Part(StrEnum):
    """A part of an event that only some of its effects need: to record the event, none is needed."""

    #: Whom to write to, in which language, and on which clock. Mails and reminders need it.
    OWNER = "todo.owner"
    #: When to remind. Only reminders need it.
    SCHEDULE = "todo"


@dataclass
class Unusable:
    """Context of a validation that tolerates errors in a `Part`: it keeps both the value and the error."""

    problems: dict[Part, list[str]] = field(default_factory=dict)

    def add(self, part: Part, problem: str) -> None:
        """Keep one problem of a part; it starts with the field's name."""
        self.problems.setdefault(part, []).append(f"{part}.{problem}")


def _needed_only_for(part: Part) -> WrapValidator:
    def validate(value: Any, validated: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        try:
            return validated(value)
        except ValidationError as exc:
            if not isinstance(info.context, Unusable):
                raise
            kept = _as_it_is(value)
            if kept is None:
                raise
            for error in exc.errors(include_url=False, include_input=False, include_context=False):
                place = ".".join(map(str, (info.field_name, *error["loc"])))
                info.context.add(part, f"{place}: {error['msg'].removeprefix('Value error, ')}")
            return kept

    return WrapValidator(validate)


def _as_it_is(value: Any) -> str | tuple[str, ...] | None:
    """A text, or a list of them, that can be stored; None if the value is anything else."""
    texts = (value,) if isinstance(value, str) else value
    if not (isinstance(texts, list | tuple) and all(isinstance(text, str) for text in texts)):
        return None
    try:
        _storable(list(texts))
    except ValueError:
        return None
    return value if isinstance(value, str) else tuple(texts)


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain the character U+0000, which PostgreSQL cannot store")
    return text


def _unicode(text: str) -> str:
    _without_nul(text)
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise ValueError("must not contain half a surrogate pair, which is no character") from exc
    return text


def _name_of_field(name: str) -> str:
    try:
        return _unicode(name)
    except ValueError as exc:
        raise ValueError(f"the name of a field {exc}") from exc


def _storable(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        _unicode(value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("must not contain NaN or infinity, which JSON does not have")
    elif isinstance(value, list):
        for item in value:
            _storable(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            _unicode(name)
            _storable(item)
    return value


def _not_blank(text: str) -> str:
    # Most texts begin with a letter or a number.
    if not text[:1].isalnum() and not one_line(text):
        raise ValueError("must not be blank")
    return text


def _without_controls(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("must not contain control characters or line breaks")
    return text


def _language(tag: str) -> str:
    if not _LANGUAGE.fullmatch(tag):
        raise ValueError("is not a language tag like en or pt-BR")
    return tag


def _time_zone(name: str) -> str:
    try:
        zone_named(name)
    except ValueError as exc:
        hint = did_you_mean(name, zoneinfo.available_timezones())
        raise ValueError(f"{name[:60]!r} is not an IANA time zone like Europe/Berlin{hint}") from exc
    return name


def _not_a_number(value: object) -> object:
    # pydantic reads numbers as times, and guesses between seconds and milliseconds.
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


def _offset(text: str) -> str:
    parse_offset(text)
    return text


def _recurrence(text: str) -> str:
    parse_rule(text)
    return text


#: The part of "must not be blank" that a JSON Schema can state.
_MIN_1 = Field(json_schema_extra={"minLength": 1})

Text = Annotated[str, Field(max_length=MAX_TEXT_LENGTH), AfterValidator(_without_nul)]
Title = Annotated[Text, _MIN_1, AfterValidator(_not_blank)]
Name = Annotated[str, Field(max_length=200), _MIN_1, AfterValidator(_not_blank), AfterValidator(_without_nul)]
Identifier = Annotated[
    str, Field(max_length=200), _MIN_1, AfterValidator(_not_blank), AfterValidator(_without_controls)
]
#: A URI reference.
Source = Annotated[
    str, Field(max_length=2_000), AfterValidator(_not_blank), AfterValidator(_without_controls)
]
Email = Annotated[
    str,
    Field(max_length=254, json_schema_extra={"format": "email"}),
    AfterValidator(mail_address),
    _needed_only_for(Part.OWNER),
]
TimeZone = Annotated[str, Field(max_length=100), AfterValidator(_time_zone), _needed_only_for(Part.OWNER)]
LanguageTag = Annotated[str, Field(max_length=35), AfterValidator(_language), _needed_only_for(Part.OWNER)]
Time = Annotated[AwareDatetime, BeforeValidator(_not_a_number), AfterValidator(_to_utc)]
Reminders = Annotated[
    tuple[Annotated[str, AfterValidator(_offset)], ...],
    Field(max_length=MAX_REMINDERS),
    _needed_only_for(Part.SCHEDULE),
]
Recurrence = Annotated[str, AfterValidator(_recurrence), _needed_only_for(Part.SCHEDULE)]

#: The name of a field that this version need not know.
FieldName = Annotated[str, AfterValidator(_name_of_field)]
#: Any JSON value that both databases can store.
Json = Annotated[JsonValue, BeforeValidator(to_jsonable_python), AfterValidator(_storable)]
