"""What must be reached, and what came out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure that must be at least, or at most, ``limit``."""

    name: str
    text: str
    unit: str
    relation: str
    limit: float

    @property
    def label(self) -> str:
        return f"{self.relation} {self.limit:g}"

    def is_met(self, value: float) -> bool:
        return value >= self.limit if self.relation == ">=" else value <= self.limit


#: By measurement, see `bench.measurements`. Ratios are taken within a round, then their median over rounds.
GOALS: Mapping[str, Sequence[Goal]] = {
    "throughput": (
        Goal("throughput_vs_stub", "no-op jobs/s, KafkaBroker / StubBroker", "x", ">=", 0.85),
        Goal("throughput_vs_redis", "no-op jobs/s, KafkaBroker / dramatiq + Redis", "x", ">=", 8),
        Goal("enqueue_vs_redis", "pipelined enqueue/s, KafkaBroker / dramatiq + Redis", "x", ">=", 2.5),
    ),
    "send": (Goal("send_vs_bare", "awaited send(), KafkaBroker / bare KafkaProducer", "x", "<=", 1.3),),
    "latency": (
        Goal("latency_vs_bare", "send to start, idle: KafkaBroker / bare produce to poll", "x", "<=", 2),
    ),
    "naps": (
        Goal("naps_vs_ideal", "jobs of 0-5 ms on one partition, 16 threads: time / ideal", "x", "<=", 1.25),
    ),
    "backlog": (
        # A million in a minute.
        Goal(
            "backlog_jobs_per_s", "no-op jobs/s of a worker that drains the backlog", "jobs/s", ">=", 16_667
        ),
        Goal("backlog_drift", "rate of the last tenth, off that of the first", "%", "<=", 10),
        Goal("backlog_memory_max", "the worker's memory while it drains, at most", "MB", "<=", 200),
        Goal("backlog_memory_growth", "most memory in the second half / in the first", "x", "<=", 1.1),
    ),
    "rebalance": (
        Goal("rebalance_gap", "longest gap in delivery while a worker joins and leaves", "ms", "<=", 1_000),
    ),
}

#: Units of the figures that only inform, by how their name ends, but for what follows a dot.
_UNITS = {"_per_s": "jobs/s", "_jobs": "jobs", "_mb": "MB", "_ms": "ms", "_s": "s"}


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value: the median of the rounds. ``value`` is None where it could not be measured.

    ``goal`` is None where it only informs.
    """

    name: str
    unit: str
    rounds: tuple[float, ...] = ()
    goal: Goal | None = None
    error: str | None = None

    @property
    def value(self) -> float | None:
        return median(self.rounds) if self.rounds else None

    @property
    def ok(self) -> bool | None:
        """Whether the goal was reached; None where there is none."""
        if self.goal is None:
            return None
        return self.value is not None and self.goal.is_met(self.value)

    def as_json(self) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "value": self.value,
            "unit": self.unit,
            "goal": self.goal.label if self.goal else None,
            "ok": self.ok,
            "rounds": list(self.rounds),
        }
        return entry | ({"error": self.error} if self.error else {})


Samples = Mapping[str, float]


def figures(
    measurements: Iterable[str], rounds: Sequence[Samples], errors: Mapping[str, str]
) -> dict[str, Figure]:
    """All figures of the ``measurements`` that ran, those with a goal first.

    ``errors`` says why a figure is missing, by its name, or by that of the measurement.
    """
    found: dict[str, Figure] = {}
    for measurement in measurements:
        for goal in GOALS[measurement]:
            error = errors.get(goal.name, errors.get(measurement))
            values = _values(goal.name, rounds)
            found[goal.name] = Figure(goal.name, goal.unit, values, goal, error or _missing(values))
    for name in sorted({name for samples in rounds for name in samples} | errors.keys() - GOALS.keys()):
        if name not in found:
            found[name] = Figure(name, unit_of(name), _values(name, rounds), None, errors.get(name))
    return found


def unit_of(name: str) -> str:
    """The unit of a figure that only informs: its name ends with it, before any dot."""
    stem = name.split(".")[0]
    return next((unit for ending, unit in _UNITS.items() if stem.endswith(ending)), "")


def _values(name: str, rounds: Sequence[Samples]) -> tuple[float, ...]:
    return tuple(samples[name] for samples in rounds if name in samples)


def _missing(values: tuple[float, ...]) -> str | None:
    return None if values else "not measured"
