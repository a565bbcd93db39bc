"""Says of each record who may see it, and what they see. Pure.

An application can replace both: :class:`Views` takes a view for each type of event, and an audience.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks.events.cloud_events import event_of
from tasks.events.models import EVENT_TYPES
from tasks.updates.records import BATCH_TYPE, UPDATE_TYPES
from workers.records.consumed import ConsumedRecord
from workers.records.sources import Incoming

from ..access import user_key
from ..visibility import people_of, visible_fields, visible_todo
from .ring import Entry
from .sought import Sought

_BATCH = BATCH_TYPE.encode()
#: In ASCII whatever is in it, also half a surrogate; and nothing that browsers do not read, as NaN.
_write = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
#: An event's number is the offset of its record times this, and its place in the record.
_IN_RECORD = 1_000

#: Makes the data that users see of an event; None: nobody sees it.
View = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]
#: Names the users who may see an event; None: everybody may.
Audience = Callable[[Mapping[str, Any]], Iterable[str] | None]


def todo_view(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """What happened to a todo, without the address of its owner."""
    data: dict[str, Any] = {"actor": event["actor"], "todo": visible_todo(event["todo"])}
    if "changes" in event:
        data["changes"] = visible_fields(event["changes"])
    return data


def update_view(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the workers did for an owner, without the address."""
    return {name: value for name, value in event["data"].items() if name != "owner"}


def owner_and_watchers(event: Mapping[str, Any]) -> Iterable[str]:
    """The owner of the todo, and those whose addresses its field ``watchers`` lists."""
    if event["type"] in UPDATE_TYPES:
        return (event["data"]["owner"],)
    return people_of(event["todo"])


VIEWS: Mapping[str, View] = {
    **dict.fromkeys(EVENT_TYPES, todo_view),
    **dict.fromkeys(UPDATE_TYPES, update_view),
}


@dataclass(slots=True)
class Seen:
    """What is seen of a record: an entry for each event that somebody sees, and what its faults raised."""

    entries: list[Entry] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)


@dataclass(frozen=True)
class Views:
    """Makes entries of records. An event whose type has no view is seen by nobody."""

    views: Mapping[str, View] = field(default_factory=lambda: VIEWS)
    audience: Audience = owner_and_watchers

    def may_concern(self, record: ConsumedRecord, sought: Sought) -> bool:
        """Say whether one of these users may see a record, by its text. It says no only if none does."""
        if record.value is None or self.audience is not owner_and_watchers:
            return True
        return sought.may_be_in(record.value)

    def finder(self, sought: Sought) -> Callable[[bytes], Sequence[int] | None] | None:
        """Return what finds records that may concern one of these users; None: any may."""
        return sought.places_in if self.audience is owner_and_watchers else None

    def seen(self, record: ConsumedRecord, partition: int, before: str, after: str) -> Seen:
        """Make the entries of a record; none if nobody sees it. ``partition`` is its index in the cursor.

        ``before`` and ``after`` are the cursors before and after the record: one that has seen only some of
        its events has not seen the record. An event that nothing can be made of is a fault, whatever it or a
        function of an application raises; so is a record that holds no events.
        """
        seen = Seen()
        headers = record.headers  # they are read anew each time
        is_batch = ("content-type", _BATCH) in headers
        try:
            incoming = Incoming(record.key, record.value, headers, record.timestamp)
            events = _batch_of(record) if is_batch else [event_of(incoming)]
        except Exception as exc:  # noqa: BLE001 - bytes of anybody
            seen.faults.append(exc)
            return seen
        for index, event in enumerate(events):
            try:
                entry = self._entry(_update(event) if is_batch else event, partition, record.offset, index)
            except Exception as exc:  # noqa: BLE001 - as above, and functions of an application
                seen.faults.append(exc)
                continue
            if entry is not None:
                entry.cursor = before
                seen.entries.append(entry)
        if seen.entries:
            seen.entries[-1].cursor = after
        return seen

    def _entry(self, event: Mapping[str, Any], partition: int, offset: int, index: int) -> Entry | None:
        view = self.views.get(event["type"])
        data = view(event) if view else None
        if data is None:
            return None
        audience = self.audience(event)
        users = None if audience is None else tuple(sorted({user_key(user) for user in audience}))
        if users == ():
            return None
        about = _about(event)
        body = {
            "p": partition,
            "o": offset * _IN_RECORD + index,
            "type": event["type"],
            "id": event["event_id"],
            "time": event["time"],
            "subject": about,
            "data": data,
        }
        return Entry(partition, offset, users, _write(body), "", _replaces(event["type"], about))


def _batch_of(record: ConsumedRecord) -> list[Any]:
    """What a batch holds. Raises ValueError and TypeError."""
    events = json.loads(record.value or b"")
    if not isinstance(events, list):
        raise TypeError("the batch is no list")
    if len(events) > _IN_RECORD:
        raise ValueError(f"the batch has {len(events)} events, more than {_IN_RECORD}")
    return events


def _update(event: Any) -> Mapping[str, Any]:
    """An event of a batch as :func:`event_of` has it. Raises ValueError: only updates come in batches."""
    if not isinstance(event, dict) or event.get("type") not in UPDATE_TYPES:
        raise ValueError("an event of the batch is no update")
    return {**event, "event_id": event["id"]}


def _about(event: Mapping[str, Any]) -> str | None:
    """The id of the todo that an event is about."""
    todo = event.get("todo")
    about = todo["id"] if todo else event.get("subject")
    return None if about is None else str(about)


def _replaces(kind: str, about: str | None) -> str | None:
    """Newer news of the same type about the same todo make older ones superfluous; the first stays."""
    return f"{kind} {about}" if about and kind in _REPLACEABLE else None


#: Types of which the newest event says all: the todo is in it as it is now. Of the updates none does: two
#: reminders of a todo are two facts.
_REPLACEABLE = frozenset({"todo.updated"})
