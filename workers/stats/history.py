"""The history as charts show it: slots of equal length, all processes added up. Pure.

::

    History ── slots(detail) ──► 60 slots of a minute ──┐
            └─ slots(coarse) ──► 720 slots of an hour ──┴──► counts of a queue, an actor, or of all
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..measures.families import Labels
from .figures import NOTHING, Counts, add
from .record import HOUR_S, MINUTE_S, SUM, Part, short_name

Grain = Literal["detail", "coarse"]
#: How long the slots of each grain are, and how many there are: an hour, and thirty days.
GRAINS: Mapping[Grain, tuple[int, int]] = {"detail": (MINUTE_S, 60), "coarse": (HOUR_S, 720)}


@dataclass(frozen=True, slots=True)
class Slot:
    """What the fleet did from ``start_s`` on, Unix time, for ``length_s``. The last one goes on."""

    start_s: int
    length_s: int
    counts: Counts

    def per_s(self, now_s: float) -> float:
        """Jobs that ended, in a second."""
        return self.counts.ended / max(1.0, min(self.length_s, now_s - self.start_s))


@dataclass(frozen=True, slots=True)
class History:
    """What the fleet did, by time, queue and actor. ``now_s`` is when it was read."""

    now_s: float
    _by_slot: Mapping[tuple[int, int], Mapping[Labels, Counts]] = field(repr=False)

    def slots(self, grain: Grain, *, queue: str | None = None, actor: str | None = None) -> list[Slot]:
        """All slots of a grain, the oldest first, also those in which nothing happened."""
        length_s, count = GRAINS[grain]
        last_s = int(self.now_s // length_s) * length_s
        return [
            Slot(start_s, length_s, _sum(self._by_slot.get((length_s, start_s), {}), queue, actor))
            for start_s in range(last_s - (count - 1) * length_s, last_s + 1, length_s)
        ]

    def totals(self, grain: Grain) -> dict[Labels, Counts]:
        """The counts of the whole time that a grain covers, by queue and actor."""
        length_s, count = GRAINS[grain]
        first_s = int(self.now_s // length_s - (count - 1)) * length_s
        found: dict[Labels, Counts] = {}
        for (length, start_s), by_labels in self._by_slot.items():
            if length == length_s and start_s >= first_s:
                add(found, by_labels)
        return found


def history(parts: Iterable[Part], now_s: float) -> History:
    """Add up the parts of all processes, each once: those that a sum has are not added to it."""
    by_slot: dict[tuple[int, int], dict[Labels, Counts]] = {}
    known = list(parts)
    summed = {(part.length_s, part.start_s): part.of for part in known if part.of}
    for part in known:
        of = summed.get((part.length_s, part.start_s))
        if of and part.process != SUM and short_name(part.process) in of:
            continue
        add(by_slot.setdefault((part.length_s, part.start_s), {}), part.counts)
    return History(now_s, by_slot)


def is_shown(part: Part, now_s: float) -> bool:
    """Whether some slot has the part."""
    count = next(count for length_s, count in GRAINS.values() if length_s == part.length_s)
    return now_s - part.start_s < (count + 1) * part.length_s


def _sum(by_labels: Mapping[Labels, Counts], queue: str | None, actor: str | None) -> Counts:
    total = NOTHING
    for (queue_of, actor_of), counts in by_labels.items():
        if queue in {None, queue_of} and actor in {None, actor_of}:
            total = total.plus(counts)
    return total
