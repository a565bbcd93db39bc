"""A filter of dead letters, and of jobs that are about to start. Pure: no I/O, no clock."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..display.times import timestamp
from .kinds import kind_of
from .letter import DeadLetter, Reason

#: The longest name of a place and a value, and the most steps of a place.
MAX_PLACE_CHARS = 1_000
_ABSENT = object()
#: The most ids that are written into the log of actions.
_NAMED_IDS = 10


class Job(Protocol):
    """A job that is about to start, as far as a filter asks for it."""

    @property
    def message_id(self) -> str: ...
    @property
    def queue_name(self) -> str: ...
    @property
    def actor_name(self) -> str: ...
    @property
    def args(self) -> Sequence[Any]: ...
    @property
    def kwargs(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a job's arguments, such as ``args.0.todo.id``, and the text that must be there."""

    path: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return f"{'.'.join(self.path)}={self.text}"

    def matches(self, arguments: Any) -> bool:
        """Whether the text is there; ``arguments`` is a mapping with ``args`` and ``kwargs``."""
        return text_at(arguments, self.path) == self.text


def parse_place(text: str) -> Place:
    """Read ``args.0.todo.id=x``. Numbers, true, false and null are as JSON writes them. Raises ValueError."""
    place, equals, value = text.partition("=")
    path = tuple(place.split("."))
    if not equals or len(path) < 2 or path[0] not in {"args", "kwargs"} or len(text) > MAX_PLACE_CHARS:
        raise ValueError(f"{text!r:.80} should be a place and a value, such as args.0.todo.id=x")
    return Place(path, value)


def text_at(arguments: Any, path: Sequence[str]) -> str | None:
    """The text at a place, a number or the like as JSON writes it; None if there is no such place."""
    for step in path:
        if isinstance(arguments, dict):
            arguments = arguments.get(step, _ABSENT)
        elif isinstance(arguments, list | tuple) and step.isdecimal() and int(step) < len(arguments):
            arguments = arguments[int(step)]
        else:
            return None
    if isinstance(arguments, str):
        return arguments
    return None if arguments is _ABSENT else json.dumps(arguments, sort_keys=True, default=str)


def require_id(text: str) -> str:
    """The text, if it can be an id or how one begins. Raises WrongUsage for an empty one: all begin so."""
    if not text.strip():
        from ..errors import WrongUsage  # noqa: PLC0415 - `--help` of a command reads this module

        raise WrongUsage("an id is empty, so that it would mean all of them; write the id, or how it begins")
    return text


@dataclass(frozen=True, slots=True)
class Filter:
    """A letter must match everything that is set. Times are in ms since 1970: when the job was given up."""

    ids: tuple[str, ...] = ()
    queue: str | None = None
    actor: str | None = None
    reason: Reason | None = None
    #: A name; the empty one is that of letters without an exception.
    exception: str | None = None
    #: Errors of one kind, see :mod:`.kinds`.
    kind: str | None = None
    text: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    where: tuple[Place, ...] = ()

    def __post_init__(self) -> None:
        """Raise WrongUsage for an empty id, as every id begins with it."""
        for one in self.ids:
            require_id(one)

    def facts(self) -> dict[str, str]:
        """What is set, as texts for the log of actions; times are in ISO 8601."""
        found = {
            "id": ", ".join(self.ids[:_NAMED_IDS]),
            "ids": str(len(self.ids)) if len(self.ids) > _NAMED_IDS else "",
            "where": ", ".join(map(str, self.where)),
            "since": "" if self.since_ms is None else timestamp(self.since_ms),
            "until": "" if self.until_ms is None else timestamp(self.until_ms),
        }
        texts = {name: getattr(self, name) for name in ("queue", "actor", "reason", "kind", "text")}
        texts["exception"] = "none" if self.exception == "" else self.exception
        facts = {name: str(value) for name, value in (texts | found).items() if value}
        return facts | {"kind": ""} if self.kind is not None and not self.kind else facts

    def matches(self, letter: DeadLetter) -> bool:
        """Whether a letter matches: id by its beginning, exception also without module, text in any case."""
        return (
            self._names(letter.id, letter.queue, letter.actor)
            and self.reason in {None, letter.reason}
            and (self.exception is None or _is_named(letter.exception_type, self.exception))
            and (self.kind is None or kind_of(letter.exception_message) == self.kind)
            and (self.text is None or _contains(letter, self.text))
            and (self.since_ms is None or letter.time_ms >= self.since_ms)
            and (self.until_ms is None or letter.time_ms <= self.until_ms)
            and (not self.where or self._finds_in(letter))
        )

    def matches_job(self, job: Job) -> bool:
        """Whether a job matches that is about to start: by its id, queue, actor and arguments.

        What is only known of dead letters is not asked for. An argument of a type of the application's own
        may raise anything.
        """
        return (
            self._names(job.message_id, job.queue_name, job.actor_name)
            and (not self.where or self._finds({"args": job.args, "kwargs": job.kwargs}))
            and (self.text is None or _is_in((job.args, job.kwargs), self.text.casefold()))
        )

    @property
    def is_empty(self) -> bool:
        return self == Filter()

    def _names(self, job_id: str, queue: str | None, actor: str | None) -> bool:
        return (
            (not self.ids or any(job_id.startswith(beginning) for beginning in self.ids))
            and self.queue in {None, queue}
            and self.actor in {None, actor}
        )

    def _finds(self, arguments: Any) -> bool:
        return all(place.matches(arguments) for place in self.where)

    def _finds_in(self, letter: DeadLetter) -> bool:
        try:
            return self._finds(_content_of(letter))
        except Exception:  # noqa: BLE001 - an argument may be of a type of the application's own
            return False


def _is_named(full_name: str | None, wanted: str) -> bool:
    if not wanted:
        return not full_name
    return full_name is not None and wanted in {full_name, full_name.rpartition(".")[2]}


def _contains(letter: DeadLetter, text: str) -> bool:
    """Search error, traceback and job; the job both as its bytes are and as the application reads them."""
    wanted = text.casefold()
    value = (letter.value or b"").decode(errors="replace")
    found = (letter.exception_message, letter.traceback, value)
    return any(wanted in part.casefold() for part in found if part) or _is_in(_content_of(letter), wanted)


def _content_of(letter: DeadLetter) -> Any:
    from .content import read  # noqa: PLC0415 - dramatiq is long to load, and only this needs it

    return read(letter.value)


def _is_in(value: Any, wanted: str) -> bool:
    from .content import texts_in  # noqa: PLC0415 - the same

    return any(wanted in part.casefold() for part in texts_in(value))
