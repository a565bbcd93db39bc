"""Remembers the events of a todo, and decides which of two is the newer one. Pure.

Two clocks are rarely the same, so times alone order events badly: a `created` of a clock that is ahead would
seem newer than the `completed` that follows it. Kafka knows better if both are in one partition, as all
events of a todo are whose publishers use the same partitioner. So an event is at least as new as everything
that its partition had before it; across partitions, and for events that came through no log, times decide.
This order depends only on which events there are, not on the order in which they are handled.

A topic that is deleted and made again counts from zero. Such a partition differs from the old one by the
times of its records: they are much later, though the offsets are lower.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from typing import Any, Self

from ..events.models import TodoCompleted, TodoCreated, TodoDeleted, TodoEvent, TodoUpdated

#: How times are written: as texts, they sort.
TIME = "%Y-%m-%dT%H:%M:%S.%f"
#: Among events at the same time, the higher rank is the newer one.
_RANKS: dict[type[TodoEvent], int] = {TodoCreated: 0, TodoUpdated: 1, TodoCompleted: 2, TodoDeleted: 3}
_OPENING = 0
_CLOSING = 2
#: What the text of an event that completed a todo is like, in SQL.
LIKE_COMPLETION = f"% {_RANKS[TodoCompleted]} %"

#: How many events of a todo are remembered. An older one that comes again is not recognized.
MAX_SEEN = 40
#: Records of a partition that are so much later than others with higher offsets are of a topic made again.
_RESTART_MS = 3_600_000
#: Of how many events at the end of each partition the todo is kept: of those that may turn out the newest.
_WITH_TODO = 2


@dataclass(frozen=True)
class SeenEvent:
    """An event of a todo. ``partition`` and ``offset`` are its place in the event log, if it has one.

    ``due`` and ``zone`` say when its todo is due, and on whose clock; ``due_zone`` is the zone in which that
    due time was set, if the event or what was before it says so.
    """

    id: str
    rank: int
    time: str
    partition: int | None = None
    offset: int = 0
    written_ms: int = 0
    due: str | None = None
    zone: str | None = None
    due_zone: str | None = None
    todo: dict[str, Any] | None = None

    @classmethod
    def of(cls, event: TodoEvent) -> Self:
        """Make the remembered form of an event."""
        # What is tolerated may be of another type; a warning of that would show it in the log.
        todo = event.todo.model_dump(mode="json", warnings=False)
        place = event.log_position
        return cls(
            id=str(event.event_id),
            rank=_RANKS.get(type(event), 0),
            time=event.time.astimezone(UTC).strftime(TIME),
            partition=place.partition if place else None,
            offset=place.offset if place else 0,
            written_ms=place.written_ms if place else 0,
            due=todo["due"],
            zone=event.todo.owner.time_zone,
            due_zone=_zone_before(event),
            todo=todo,
        )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text that ``str(event)`` writes."""
        time, rank, event_id = text.split()
        return cls(event_id, int(rank), time)

    def __str__(self) -> str:
        """Its time, rank and id: of two events that have no place, the one with the greater text is newer."""
        return f"{self.time} {self.rank} {self.id}"

    @property
    def is_opening(self) -> bool:
        return self.rank == _OPENING

    @property
    def is_closing(self) -> bool:
        return self.rank >= _CLOSING

    @property
    def is_completion(self) -> bool:
        return self.rank == _RANKS[TodoCompleted]

    def as_json(self) -> dict[str, Any]:
        """As it is stored: read with ``SeenEvent(**data)``."""
        values = ((name, getattr(self, name)) for name in self.__dataclass_fields__)
        return {name: value for name, value in values if value is not None}

    def _place(self) -> tuple[bool, int, int]:
        return self.partition is None, self.written_ms, self.offset


def in_order(events: Iterable[SeenEvent]) -> tuple[SeenEvent, ...]:
    """The events, each once, the newest last; of the oldest of many, nothing is kept."""
    first: dict[str, SeenEvent] = {}
    for event in events:
        # What is published twice counts from its first place on.
        known = first.setdefault(event.id, event)
        if event._place() < known._place():
            first[event.id] = event
    ordered = _sorted(list(first.values()))
    return tuple(_with_few_todos(_bounded(ordered)))


def _sorted(events: list[SeenEvent]) -> list[SeenEvent]:
    keys = {event.id: (str(event), 0) for event in events}
    for log in _logs(events):
        reached = ""
        for event in log:
            reached = max(reached, str(event))
            keys[event.id] = reached, event.offset
    return sorted(events, key=lambda event: keys[event.id])


def _logs(events: Iterable[SeenEvent]) -> list[list[SeenEvent]]:
    """The events of each partition, in the order of the log; those of a partition made again apart."""
    logs: list[list[SeenEvent]] = []
    placed = (event for event in events if event.partition is not None)
    for event in sorted(placed, key=lambda event: (event.partition, event.written_ms, event.offset)):
        if logs and _follows(logs[-1][-1], event):
            logs[-1].append(event)
        else:
            logs.append([event])
    return [sorted(log, key=lambda event: event.offset) for log in logs]


def _follows(last: SeenEvent, event: SeenEvent) -> bool:
    """Whether an event is of the same log as the one that was written before it."""
    made_again = event.offset < last.offset and event.written_ms > last.written_ms + _RESTART_MS
    return event.partition == last.partition and not made_again


def _bounded(events: list[SeenEvent]) -> list[SeenEvent]:
    """Forget the oldest, but not which one opened or closed the todo last."""
    while len(events) > MAX_SEEN:
        last = {_last(events, "is_opening"), _last(events, "is_closing")}
        index = next(index for index, event in enumerate(events) if event.id not in last)
        gone, after = events[index : index + 2]
        if gone.due == after.due:
            after = replace(after, due_zone=gone.due_zone or gone.zone)
        events = [*events[:index], after, *events[index + 2 :]]
    return events


def _with_few_todos(events: Sequence[SeenEvent]) -> Iterable[SeenEvent]:
    without_place = [event for event in events if event.partition is None]
    kept = {event.id for log in [*_logs(events), without_place] for event in log[-_WITH_TODO:]}
    # Events that close a todo cancel its reminders; what else they say of it decides nothing.
    kept |= {event.id for event in [event for event in events if not event.is_closing][-_WITH_TODO:]}
    return (event if event.id in kept else replace(event, todo=None) for event in events)


def _last(events: Sequence[SeenEvent], what: str) -> str | None:
    return next((event.id for event in reversed(events) if getattr(event, what)), None)


def _zone_before(event: TodoEvent) -> str | None:
    """The zone of the owner before an update that left the due time as it was."""
    if not isinstance(event, TodoUpdated) or "owner" not in event.changes or "due" in event.changes:
        return None
    before = event.changes["owner"].before
    zone = before.get("time_zone") if isinstance(before, dict) else None
    return zone if isinstance(zone, str) else None
