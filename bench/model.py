"""A benchmark, its readings, and the figures made of them. Pure: no I/O, no clock.

A benchmark has contestants. Each round measures every contestant once, in turn, and each gives readings, such
as ``jobs_per_s``. Figures are made of the readings of one round, so that a ratio never compares two moments;
over the rounds a figure's median counts.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .kit import Kit

#: The readings of one contestant in one round.
Readings = Mapping[str, float]
#: The readings of one round: ``contestant.reading``.
Round = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound of a figure: at least, or at most."""

    bound: float
    at_least: bool

    def met_by(self, value: float) -> bool:
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.bound:g}"


def at_least(bound: float) -> Goal:
    return Goal(bound, at_least=True)


def at_most(bound: float) -> Goal:
    return Goal(bound, at_least=False)


@dataclass(frozen=True, slots=True)
class Contestant:
    """A system that is measured; ``measure`` raises NotMeasured if that is impossible.

    ``slow``: left out of a quick run.
    """

    name: str
    measure: Callable[[Kit], Readings]
    slow: bool = False


@dataclass(frozen=True, slots=True)
class Derived:
    """A figure made of one round's readings; ``of`` raises KeyError if a reading is missing."""

    name: str
    unit: str
    of: Callable[[Round], float]
    goal: Goal | None = None


def ratio(name: str, numerator: str, denominator: str, goal: Goal | None = None) -> Derived:
    """One reading over another, each ``contestant.reading``."""
    return Derived(name, "x", lambda readings: readings[numerator] / readings[denominator], goal)


def reading(name: str, unit: str, of: str, goal: Goal | None = None) -> Derived:
    """A reading as it is, with a goal."""
    return Derived(name, unit, lambda readings: readings[of], goal)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A benchmark: its contestants, the units of their readings, and the figures to derive.

    ``units`` are those of the readings; ``max_rounds`` is for one that takes minutes. ``slow``: left out of a
    quick run, unless it is asked for.
    """

    name: str
    title: str
    contestants: Sequence[Contestant]
    units: Mapping[str, str]
    derived: Sequence[Derived] = ()
    max_rounds: int | None = None
    slow: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure over all rounds. One that could not be measured has no values, and ``error`` says why."""

    name: str
    unit: str
    values: Sequence[float] = ()
    goal: Goal | None = None
    error: str | None = None

    @property
    def value(self) -> float | None:
        """The median of the rounds."""
        return statistics.median(self.values) if self.values else None

    @property
    def ok(self) -> bool | None:
        """Whether the goal is met; None if there is no goal, or no value."""
        value = self.value
        return None if self.goal is None or value is None else self.goal.met_by(value)


@dataclass
class Results:
    """The results of a benchmark's rounds: readings, and the last error of each contestant that failed."""

    rounds: list[dict[str, float]] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)


def figures(benchmark: Benchmark, results: Results) -> list[Figure]:
    """The derived figures first, then every reading."""
    found = [_derived(benchmark, derived, results) for derived in benchmark.derived]
    for contestant in benchmark.contestants:
        names = [
            name for name in benchmark.units if any(f"{contestant.name}.{name}" in r for r in results.rounds)
        ]
        for name in names:
            key = f"{contestant.name}.{name}"
            values = [readings[key] for readings in results.rounds if key in readings]
            found.append(Figure(f"{benchmark.name}.{key}", benchmark.units[name], values))
        if contestant.name in results.errors:
            error = results.errors[contestant.name]
            found.append(Figure(f"{benchmark.name}.{contestant.name}", "", error=error))
    return found


def _derived(benchmark: Benchmark, derived: Derived, results: Results) -> Figure:
    values, missing = [], None
    for readings in results.rounds:
        try:
            values.append(derived.of(readings))
        except KeyError as exc:
            missing = f"not measured: {exc.args[0]}"
    name = f"{benchmark.name}.{derived.name}"
    return Figure(name, derived.unit, values, derived.goal, None if values else missing)
