"""Finds the switch that matches a job, among many, at a cost that hardly grows with their number. Pure.

Each switch is filed under what it asks for first, so that a job is compared only with those that may match::

    actor and queue ──► a place in the arguments ──► the text there       one walk over the arguments, for all
                    ├─► the beginning of an id                            one look-up for each length
                    ├─► text anywhere in the arguments                    they are read once, for all
                    └─► nothing else: it matches
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ..dead_letters.content import texts_in
from ..dead_letters.filter import Job, text_at
from .decision import Switch
from .then import Then

#: Called with what an argument of a job raised.
OnError = Callable[[Exception], object]


@dataclass(slots=True)
class _Steps:
    """The places that switches ask for, as a tree of steps. ``index`` is the step, if it is one of a list."""

    index: int = -1
    further: dict[str, _Steps] = field(default_factory=dict)
    by_text: dict[str, list[Switch]] = field(default_factory=dict)

    def add(self, switch: Switch) -> None:
        place = switch.where.where[0]
        node = self
        for step in place.path:
            node = node.further.setdefault(step, _Steps(int(step) if step.isdecimal() else -1))
        node.by_text.setdefault(place.text, []).append(switch)

    def collect(self, value: Any, found: list[Switch], on_error: OnError) -> None:
        """Add the switches whose text is at their place in a value."""
        if self.by_text:
            text = value if isinstance(value, str) else _text_of(value, on_error)
            found += self.by_text.get(text, ())
        if isinstance(value, dict):
            # The shorter one is gone through.
            steps = value.keys() & self.further.keys() if len(value) < len(self.further) else self.further
            for step in steps:
                if step in value:
                    self.further[step].collect(value[step], found, on_error)
        elif isinstance(value, list | tuple):
            for further in self.further.values():
                if 0 <= further.index < len(value):
                    further.collect(value[further.index], found, on_error)


class _Group:
    """The switches about one actor and one queue, or about any."""

    def __init__(self) -> None:
        self._places = _Steps()
        self._ids: dict[int, dict[str, list[Switch]]] = {}
        self._texts: list[tuple[str, Switch]] = []
        self._others: list[Switch] = []

    def add(self, switch: Switch) -> None:
        where = switch.where
        if where.where:
            self._places.add(switch)
        elif where.ids:
            for beginning in where.ids:
                self._ids.setdefault(len(beginning), {}).setdefault(beginning, []).append(switch)
        elif where.text is not None:
            self._texts.append((where.text.casefold(), switch))
        else:
            self._others.append(switch)

    def candidates(self, job: Job, on_error: OnError) -> list[Switch]:
        """The switches that may match."""
        found = list(self._others)
        for length, by_id in self._ids.items():
            found += by_id.get(job.message_id[:length], ())
        if self._texts:
            text = "\0".join(texts_in((job.args, job.kwargs))).casefold()
            found += (switch for wanted, switch in self._texts if wanted in text)
        for name, steps in self._places.further.items():
            steps.collect(job.args if name == "args" else job.kwargs, found, on_error)
        return found


class Switchboard:
    """The switches of one state. Safe for any thread."""

    def __init__(
        self,
        switches: Iterable[Switch],
        on_error: OnError = lambda _: None,
    ) -> None:
        """``on_error`` gets what an argument raised: filters that ask for it match nothing then."""
        self._on_error = on_error
        self._groups: dict[tuple[str | None, str | None], _Group] = {}
        #: Those for each actor and queue that has had a job.
        self._groups_of: dict[tuple[str, str], list[_Group]] = {}
        for switch in switches:
            about = (switch.where.actor, switch.where.queue)
            self._groups.setdefault(about, _Group()).add(switch)

    def match(self, job: Job) -> Switch | None:
        """The switch that takes the job out: one that holds before one that discards, an older one first."""
        about = job.actor_name, job.queue_name
        groups = self._groups_of.get(about)
        if groups is None:
            groups = self._groups_of[about] = self._find(*about)
        candidates: list[Switch] = []
        for group in groups:
            candidates += group.candidates(job, self._on_error)
        if not candidates:  # as for almost every job
            return None
        return min((one for one in candidates if self._matches(one, job)), key=_rank, default=None)

    def _find(self, actor: str, queue: str) -> list[_Group]:
        abouts = ((actor, queue), (actor, None), (None, queue), (None, None))
        return [self._groups[about] for about in abouts if about in self._groups]

    def _matches(self, switch: Switch, job: Job) -> bool:
        try:
            return switch.where.matches_job(job)
        except Exception as exc:  # noqa: BLE001 - an argument may be of a type of the application's own
            self._on_error(exc)
            return False


def _text_of(value: Any, on_error: OnError) -> str:
    try:
        return text_at(value, ()) or ""
    except Exception as exc:  # noqa: BLE001 - the same
        on_error(exc)
        return ""


def _rank(switch: Switch) -> tuple[bool, int, str]:
    return switch.then is Then.DISCARD, switch.note.when_ms, switch.id
