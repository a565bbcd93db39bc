"""Finds the switch that matches a job, among many, at a cost that hardly grows with their number. Pure.

Most switches are about one place in the arguments of an actor. Those about the same place are looked up at
once, by the text that the job has there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from ..dead_letters.filter import Job, text_at
from .decision import Switch
from .then import Then

_Path = tuple[str, ...]


@dataclass(slots=True)
class _Group:
    """The switches about one actor, or about any."""

    by_place: dict[_Path, dict[str, list[Switch]]] = field(default_factory=dict)
    others: list[Switch] = field(default_factory=list)

    def add(self, switch: Switch) -> None:
        if switch.where.where:
            place = switch.where.where[0]
            self.by_place.setdefault(place.path, {}).setdefault(place.text, []).append(switch)
        else:
            self.others.append(switch)

    def candidates(self, job: Job) -> Iterator[Switch]:
        """The switches that may match; raises what an argument raises, see :meth:`Filter.matches_job`."""
        if self.by_place:
            arguments = {"args": job.args, "kwargs": job.kwargs}
            for path, by_text in self.by_place.items():
                yield from by_text.get(text_at(arguments, path) or "", ())
        yield from self.others


class Switchboard:
    """The switches of one state. Safe for any thread."""

    def __init__(
        self,
        switches: Iterable[Switch],
        on_error: Callable[[Switch | None, Exception], object] = lambda *_: None,
    ) -> None:
        """``on_error`` gets what a filter raised, with None for one of several: it matches nothing then."""
        self._on_error = on_error
        self._groups: dict[str | None, _Group] = {}
        for switch in switches:
            self._groups.setdefault(switch.where.actor, _Group()).add(switch)
        self._any = self._groups.get(None)

    def match(self, job: Job) -> Switch | None:
        """The switch that takes the job out: one that holds before one that discards, an older one first."""
        found: list[Switch] = []
        for group in (self._groups.get(job.actor_name), self._any):
            if group is not None:
                found += self._matches(group, job)
        return min(found, key=_rank) if found else None

    def _matches(self, group: _Group, job: Job) -> list[Switch]:
        found = []
        try:
            candidates = list(group.candidates(job))
        except Exception as exc:  # noqa: BLE001 - an argument may be of a type of the application's own
            self._on_error(None, exc)
            candidates = group.others
        for switch in candidates:
            try:
                if switch.where.matches_job(job):
                    found.append(switch)
            except Exception as exc:  # noqa: BLE001 - the same
                self._on_error(switch, exc)
        return found


def _rank(switch: Switch) -> tuple[bool, int, str]:
    return switch.then is Then.DISCARD, switch.note.when_ms, switch.id
