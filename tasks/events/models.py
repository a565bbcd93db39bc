"""The events that the chatbot publishes about todos. Pure: no I/O; the clock is read only for default values.

Models are frozen and keep fields that they do not know. Every time is stored in UTC, so that an event equals
itself after a trip through JSON; people see times in the zone ``Owner.time_zone``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID, uuid4

from pydantic import (
    Field,
    JsonValue,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from workers.display.spelling import did_you_mean
from workers.errors import InvalidArguments

from ..text import one_line
from .fields import (
    FieldName,
    Identifier,
    Json,
    Name,
    Part,
    Recurrence,
    Reminders,
    Source,
    Text,
    Time,
    Title,
    Unusable,
)
from .todos import HIDES_INPUT, OpenModel, Owner, Todo

T = TypeVar("T")
E_co = TypeVar("E_co", bound="AnyEvent", covariant=True)


#: The CloudEvents ``source`` of the events that this package publishes: a URI reference to their origin.
DEFAULT_SOURCE = "/todo-chatbot"


class InvalidEvent(InvalidArguments, ValueError):
    """The data is not a valid todo event."""


class Change(OpenModel):
    """The value of one field before and after an update, as JSON values; None is no value."""

    before: Json
    after: Json


#: The types of the fields that an update may change; a field that is not listed may have any value.
CHANGEABLE: dict[str, TypeAdapter[Any]] = {
    "title": TypeAdapter(Title | None, config=HIDES_INPUT),
    "description": TypeAdapter(Text | None, config=HIDES_INPUT),
    "due": TypeAdapter(Time | None, config=HIDES_INPUT),
    "reminders": TypeAdapter(Reminders | None, config=HIDES_INPUT),
    "recurrence": TypeAdapter(Recurrence | None, config=HIDES_INPUT),
    "owner": TypeAdapter(Owner | None, config=HIDES_INPUT),
}


class Context(OpenModel):
    """The rest of an event's CloudEvent: its source and its extension attributes.

    ``id`` is the CloudEvent's own id if that is no UUID; ``event_id`` is then derived from source and id.
    ``data`` has those fields of the CloudEvent's data that are named like a field of the event itself.
    """

    source: Source = DEFAULT_SOURCE


class LogPosition(OpenModel):
    """The place of an event in the event log, and when it was written there, in ms, as its topic says."""

    partition: int
    offset: int
    written_ms: int


class AnyEvent(OpenModel):
    """The fields that an event of any type has.

    Whoever reads the event log sets the last two. ``stated_time`` is the time that the publisher gave, if it
    was too far ahead of the record's own; then ``time`` is the record's.
    """

    type: str
    event_id: UUID = Field(default_factory=uuid4)
    time: Time = Field(default_factory=lambda: datetime.now(UTC))
    actor: Name | None = None
    cloudevent: Context = Context()
    log_position: LogPosition | None = None
    stated_time: Time | None = None

    @property
    def todo_id(self) -> str | None:
        """The id of the todo that it is about, if known."""
        return None


class OtherEvent(AnyEvent):
    """An event of a type that this version does not know, kept as it is.

    ``subject`` names what it is about, in its publisher's words.
    """

    type: Identifier
    subject: Identifier | None = None
    data: Json = None

    @property
    def todo_id(self) -> str | None:
        return self.subject


class TodoEvent(AnyEvent):
    """The fields of an event about a todo. ``actor`` names who did it, for example ``user:42``."""

    actor: Name
    todo: Todo

    @property
    def todo_id(self) -> str:
        return self.todo.id


class TodoCreated(TodoEvent):
    """A todo was created."""

    type: Literal["todo.created"] = "todo.created"


class TodoUpdated(TodoEvent):
    """A todo was changed; ``changes`` has an entry for each field that changed."""

    type: Literal["todo.updated"] = "todo.updated"
    changes: dict[FieldName, Change] = Field(min_length=1)

    @field_validator("changes")
    @classmethod
    def _fit_the_fields(cls, changes: dict[str, Change], info: ValidationInfo) -> dict[str, Change]:
        # The problems of values that were are nobody's any more; those of values that are, the todo has.
        context = Unusable() if isinstance(info.context, Unusable) else None
        return {
            name: change.model_copy(
                update={
                    "before": _fit(name, change.before, context),
                    "after": _fit(name, change.after, context),
                }
            )
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

#: What pydantic adds to the place of a problem.
_NO_PLACES = (*EVENT_TYPES, "[key]")

_EVENT: TypeAdapter[Event] = TypeAdapter(Event, config=HIDES_INPUT)
_OTHER: TypeAdapter[OtherEvent] = TypeAdapter(OtherEvent)


@dataclass(frozen=True)
class ReadEvent(Generic[E_co]):
    """An event that can be recorded, and what is wrong with the parts that only its other effects need."""

    event: E_co
    problems: Mapping[Part, Sequence[str]]

    def require(self, *parts: Part) -> None:
        """Raise InvalidEvent if there is a problem in one of these parts."""
        problems = [problem for part in parts for problem in self.problems.get(part, ())]
        if problems:
            raise InvalidEvent(f"Not a valid todo event: {'; '.join(problems)}")


def parse_event(data: object) -> Event:
    """Read an event from the output of ``event.model_dump(mode="json")``, or from a mapping like it.

    Raises:
        InvalidEvent: it does not validate, or its type is unknown; the text names each wrong field.
    """
    event: Event = _validated(_EVENT, data)
    return event


def parse_any_event(data: object) -> Event | OtherEvent:
    """As `parse_event`, but also read an event of an unknown type, as `OtherEvent`.

    Raises:
        InvalidEvent: it does not validate.
    """
    event: Event | OtherEvent = _validated(_adapter_of(data), data)
    return event


def read_event(data: object) -> ReadEvent[Event]:
    """As `parse_event`, but a problem in a part that not every effect needs is no error; it is kept.

    Raises:
        InvalidEvent: the event cannot even be recorded, or its type is unknown.
    """
    return _read(_EVENT, data)


def read_any_event(data: object) -> ReadEvent[Event | OtherEvent]:
    """As `read_event`, but also read an event of an unknown type. Raises InvalidEvent."""
    return _read(_adapter_of(data), data)


def _read(adapter: TypeAdapter[E_co], data: object) -> ReadEvent[E_co]:
    unusable = Unusable()
    return ReadEvent(_validated(adapter, data, unusable), unusable.problems)


def _adapter_of(data: object) -> TypeAdapter[Any]:
    kind = data.get("type") if isinstance(data, Mapping) else None
    return _OTHER if isinstance(kind, str) and kind not in EVENT_TYPES else _EVENT


def _validated(adapter: TypeAdapter[T], data: object, context: Unusable | None = None) -> T:
    try:
        return adapter.validate_python(dict(data) if isinstance(data, Mapping) else data, context=context)
    except ValidationError as exc:
        raise InvalidEvent(f"Not a valid todo event: {problems_of(exc)}") from exc


def _fit(name: str, value: JsonValue, context: Unusable | None) -> Any:
    if name == "id":
        raise ValueError("id: the id of a todo cannot change")
    if name not in CHANGEABLE:
        return value
    try:
        field = CHANGEABLE[name]
        # Without warnings: what is tolerated may be of another type.
        read = field.validate_python(value, context=context)
        return field.dump_python(read, mode="json", warnings=False)
    except ValidationError as exc:
        raise ValueError(f"{name}: {problems_of(exc)}") from exc


def problems_of(error: ValidationError) -> str:
    """The problems of a failed validation in one line, without the input."""
    return "; ".join(
        _problem(details["type"], [str(part) for part in details["loc"] if part not in _NO_PLACES], details)
        for details in error.errors(include_url=False, include_input=False)
    )


def _problem(kind: str, place: list[str], details: Any) -> str:
    text = str(details["msg"]).removeprefix("Value error, ")
    if kind == "union_tag_invalid":
        tag = details["ctx"]["tag"]
        text = f"type: {tag!r} is not one of {', '.join(EVENT_TYPES)}{did_you_mean(tag, EVENT_TYPES)}"
    elif kind == "union_tag_not_found":
        text = f"type: missing; it is one of {', '.join(EVENT_TYPES)}"
    return f"{one_line('.'.join(place))}: {text}" if place else text
