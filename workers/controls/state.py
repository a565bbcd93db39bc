"""What is decided, as the records of the control topic say. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeVar

from ..records.consumed import ConsumedRecord
from .decision import Decision, Pause, Switch, decode

T = TypeVar("T")

#: How many records that cannot be read are named.
_MAX_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class Problem:
    """A record that is no decision: it is left out, and what was decided about its subject before stays."""

    key: str
    offset: int
    why: str

    def __str__(self) -> str:
        return f"record {self.offset} of the control topic, {self.key}, is left out: {self.why}"


@dataclass(frozen=True, slots=True)
class State:
    """All decisions that count, by queue and by switch."""

    pauses: Mapping[str, Pause] = field(default_factory=lambda: MappingProxyType({}))
    switches: Mapping[str, Switch] = field(default_factory=lambda: MappingProxyType({}))
    problems: tuple[Problem, ...] = ()

    def paused(self, now_ms: float) -> dict[str, Pause]:
        """The queues that are paused at that time."""
        return {queue: pause for queue, pause in self.pauses.items() if pause.holds(now_ms)}

    def after(self, records: Iterable[ConsumedRecord]) -> State:
        """The state after these records, in their order."""
        state = self
        for record in records:
            state = state._after(record)
        return state

    def _after(self, record: ConsumedRecord) -> State:
        key = (record.key or b"").decode(errors="backslashreplace")
        if record.unreadable is not None:
            return self._with_problem(Problem("an unreadable batch", record.offset, record.unreadable))
        if record.value is None:
            return self._without(key)
        try:
            decision = decode(record.key, record.value, record.headers, record.timestamp)
        except Exception as exc:  # noqa: BLE001 - no record may keep a worker from applying the others
            why = str(exc) if isinstance(exc, ValueError) else f"{type(exc).__name__}: {exc}"
            return self._with_problem(Problem(f"{key!r:.80}", record.offset, why))
        return self._with(decision)

    def _with(self, decision: Decision) -> State:
        state = self._without(decision.subject)
        if isinstance(decision, Pause):
            return replace(state, pauses=_added(state.pauses, decision.queue, decision))
        return replace(state, switches=_added(state.switches, decision.id, decision))

    def _without(self, subject: str) -> State:
        kind, _, name = subject.partition("/")
        problems = tuple(one for one in self.problems if one.key != f"{subject!r:.80}")
        pauses = _removed(self.pauses, name) if kind == "queue" else self.pauses
        switches = _removed(self.switches, name) if kind == "switch" else self.switches
        return State(pauses, switches, problems)

    def _with_problem(self, problem: Problem) -> State:
        others = (one for one in self.problems if one.key != problem.key)
        return replace(self, problems=(*others, problem)[-_MAX_PROBLEMS:])


def _added(items: Mapping[str, T], name: str, item: T) -> Mapping[str, T]:
    return MappingProxyType({**items, name: item})


def _removed(items: Mapping[str, T], name: str) -> Mapping[str, T]:
    return MappingProxyType({each: item for each, item in items.items() if each != name})
