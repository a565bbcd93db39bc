"""What an operator has decided about a queue or about some jobs, as a record of the control topic. Pure.

The key is the subject, ``queue/NAME`` or ``switch/ID``; a tombstone ends the decision. Who decided it, when,
why and until when is in the headers::

    queue/notifications   who: ann@host  when: 1764363600000  why: mail server is down  until: 1764370800000
                          {"paused": true}
    switch/3f9a21         who: ann@host  when: 1764363600000  why: loops
                          {"where": {"actor": "notify", "where": ["args.0.todo.id=x"]}, "then": "hold"}
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..dead_letters.filter import Filter, parse_place
from ..display.times import length_of_time, timestamp
from ..records.envelope import Record
from ..records.headers import texts_of
from ..records.numbers import time_ms
from .then import Then

QUEUE, SWITCH = "queue", "switch"
#: Longest text of a reason or a name of a person that is kept.
MAX_TEXT_CHARS = 500
#: The conditions that a switch may have: those that can be told of a job that has not run.
_TEXTS = ("queue", "actor", "text")


@dataclass(frozen=True, slots=True)
class Note:
    """Who decided something and why. Times are in ms since 1970.

    ``when_ms`` is below 1 if that is not known, ``until_ms`` None for no end.
    """

    who: str = ""
    when_ms: int = 0
    why: str = ""
    until_ms: int | None = None

    def told(self, now_ms: float) -> str:
        """The words behind what was decided: by whom, how long ago, until when, and why."""
        who, since, until, why = self.cells(now_ms)
        return f"by {who} {since}" + (f", until {until}" if until else "") + (f": {why}" if why else "")

    def cells(self, now_ms: float) -> tuple[str, str, str, str]:
        """The same for a table: who, since, until and why; empty where there is nothing to say."""
        ago = f"{length_of_time(max(0.0, now_ms - self.when_ms) / 1000)} ago"
        since = ago if self.when_ms > 0 else "at a time that is not known"
        until = "" if self.until_ms is None else timestamp(self.until_ms)
        return self.who or "somebody", since, until, self.why

    def values(self) -> dict[str, str | None]:
        """The same as JSON values, with times in ISO 8601."""
        until = None if self.until_ms is None else timestamp(self.until_ms)
        since = timestamp(self.when_ms) if self.when_ms > 0 else None
        return {"who": self.who, "since": since, "until": until, "why": self.why}


@dataclass(frozen=True, slots=True)
class Pause:
    """No job of a queue starts."""

    queue: str
    note: Note = Note()

    @property
    def subject(self) -> str:
        return f"{QUEUE}/{self.queue}"

    def holds(self, now_ms: float) -> bool:
        """Whether it has not ended by itself."""
        return self.note.until_ms is None or now_ms < self.note.until_ms


@dataclass(frozen=True, slots=True)
class Switch:
    """No job that the filter matches starts."""

    id: str
    where: Filter
    then: Then
    note: Note = Note()

    @property
    def subject(self) -> str:
        return f"{SWITCH}/{self.id}"


Decision = Pause | Switch


def encode(decision: Decision) -> Record:
    """Make the record of a decision."""
    value: dict[str, Any] = {"paused": True}
    if isinstance(decision, Switch):
        value = {"where": as_json(decision.where), "then": decision.then}
    return Record(decision.subject.encode(), json.dumps(value).encode(), headers_of(decision.note))


def ending(subject: str, note: Note) -> Record:
    """Make the tombstone that ends a decision; ``note`` is about the end."""
    return Record(subject.encode(errors="backslashreplace"), None, headers_of(note))


def headers_of(note: Note) -> list[tuple[str, bytes]]:
    """The headers of a note."""
    headers = [
        ("who", note.who[:MAX_TEXT_CHARS].encode(errors="backslashreplace")),
        ("when", str(note.when_ms).encode()),
        ("why", note.why[:MAX_TEXT_CHARS].encode(errors="backslashreplace")),
    ]
    if note.until_ms is not None:
        headers.append(("until", str(note.until_ms).encode()))
    return headers


def decode(
    key: bytes | None, value: bytes, headers: Iterable[tuple[str, bytes | None]], timestamp_ms: int = 0
) -> Decision:
    """Read a decision, with the record's own time if it does not say its own. Raises ValueError.

    One that was written by a newer version, with conditions that this one does not know, is refused as well:
    read without them, it would take out more jobs than it should.
    """
    kind, _, name = (key or b"").decode(errors="replace").partition("/")
    if kind not in {QUEUE, SWITCH} or not name:
        raise ValueError(f"the key is {key!r:.80}, and should be queue/NAME or switch/ID")
    try:
        found = json.loads(value)
    except (ValueError, RecursionError) as exc:
        raise ValueError(f"the value is no JSON: {exc}") from exc
    if not isinstance(found, dict):
        raise ValueError("the value is no JSON object")  # noqa: TRY004 - one kind for all bad records
    note = _note(texts_of(headers), timestamp_ms)
    if kind == QUEUE:
        if found.get("paused") is not True:
            raise ValueError('the value has no "paused": true')
        return Pause(name, note)
    then = found.get("then")
    if not isinstance(then, str) or then not in set(Then):
        raise ValueError('the value has no "then": "hold" or "discard"')
    return Switch(name, filter_from(found.get("where")), Then(then), note)


def _note(texts: Mapping[str, str], timestamp_ms: int) -> Note:
    when, until = texts.get("when"), texts.get("until")
    return Note(
        texts.get("who", "")[:MAX_TEXT_CHARS],
        timestamp_ms if when is None else _ms("when", when),
        texts.get("why", "")[:MAX_TEXT_CHARS],
        None if until is None else _ms("until", until),
    )


def _ms(name: str, text: str) -> int:
    try:
        return time_ms(text)
    except ValueError as exc:
        raise ValueError(f"the header {name} is {text!r:.40}, and should be a time in ms") from exc


def as_json(where: Filter) -> dict[str, Any]:
    """The conditions of a switch, as its record has them."""
    found: dict[str, Any] = {name: value for name in _TEXTS if (value := getattr(where, name)) is not None}
    if where.ids:
        found["ids"] = list(where.ids)
    if where.where:
        found["where"] = [str(place) for place in where.where]
    return found


def filter_from(found: Any) -> Filter:
    """The conditions in a record.

    Raises ValueError for unknown ones, and for empty ones and none: they would match every job.
    """
    if not isinstance(found, dict):
        raise ValueError('the value has no "where" with conditions')  # noqa: TRY004 - the same
    unknown = found.keys() - {*_TEXTS, "ids", "where"}
    if unknown:
        raise ValueError(f"the condition {min(unknown)!r:.40} is not known")
    texts = {name: found[name] for name in _TEXTS if name in found}
    ids, where = found.get("ids", []), found.get("where", [])
    lists = [each if isinstance(each, list) else [None] for each in (ids, where)]
    if not all(isinstance(text, str) for text in (*texts.values(), *lists[0], *lists[1])):
        raise ValueError("a condition is no text")
    if not all((*texts.values(), *ids)):  # every text begins with the empty one, and has it in it
        raise ValueError("a condition is empty, so that it would match every job")
    made = Filter(ids=tuple(ids), where=tuple(map(parse_place, where)), **texts)
    if made.is_empty:
        raise ValueError("there is no condition, so that it would match every job")
    return made
