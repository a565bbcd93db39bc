"""What was counted of one actor of a queue in a length of time, and what follows from that. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

from ..measures.catalogue import DEAD_LETTERS
from ..measures.families import Labels
from ..measures.jobs import JOBS, Figures, Outcome
from ..measures.metrics import SECONDS
from ..records.numbers import finite

_BUCKETS = len(SECONDS) + 1
#: Numbers of one actor: outcomes, then buckets and sum of the durations, then of the waits.
_WIDTH = len(Outcome) + 2 * (_BUCKETS + 1)


class Counts(NamedTuple):
    """Counts of jobs that ended, as one row of numbers that can be added and subtracted."""

    numbers: tuple[float, ...]

    @classmethod
    def of(cls, figures: Figures | None, dead_letters: float) -> Self:
        """The counts of an actor. Dead letters are counted as such, also of jobs that never started."""
        if figures is None:
            figures = Figures((0,) * len(Outcome), (0,) * _BUCKETS, (0,) * _BUCKETS, 0.0, 0.0)
        outcomes = list(figures.outcomes)
        outcomes[Outcome.DEAD] = int(dead_letters)
        durations = (*figures.durations, round(figures.duration_sum_s, 6))
        return cls((*outcomes, *durations, *figures.waits, round(figures.wait_sum_s, 6)))

    @classmethod
    def read(cls, values: object) -> Self:
        """Read the numbers from JSON. Raises ValueError for what is none, or of another version."""
        if not isinstance(values, list) or len(values) != _WIDTH:
            raise ValueError(f"there should be {_WIDTH} numbers")
        return cls(tuple(map(finite, values)))

    def __sub__(self, earlier: Counts) -> Counts:
        return Counts(tuple(a - b for a, b in zip(self.numbers, earlier.numbers, strict=True)))

    def plus(self, other: Counts) -> Counts:
        return Counts(tuple(a + b for a, b in zip(self.numbers, other.numbers, strict=True)))

    @property
    def is_nothing(self) -> bool:
        return not any(self.numbers[: len(Outcome)])

    @property
    def done(self) -> int:
        return self._outcome(Outcome.DONE)

    @property
    def retried(self) -> int:
        return self._outcome(Outcome.RETRIED)

    @property
    def dead(self) -> int:
        """Dead letters that were written."""
        return self._outcome(Outcome.DEAD)

    @property
    def skipped(self) -> int:
        return self._outcome(Outcome.SKIPPED)

    @property
    def ended(self) -> int:
        """All jobs that ended here: done, to be tried again, given up or skipped."""
        return sum(map(int, self.numbers[: len(Outcome)]))

    def duration_s(self, quantile: float) -> float | None:
        """How long so large a part of the jobs ran at most, estimated from buckets; None without jobs."""
        return _quantile(self._durations[:-1], quantile)

    def wait_s(self, quantile: float) -> float | None:
        """The same of how long jobs waited, from when they were due to their start."""
        return _quantile(self._waits[:-1], quantile)

    @property
    def mean_duration_s(self) -> float | None:
        return _mean(self._durations)

    @property
    def mean_wait_s(self) -> float | None:
        return _mean(self._waits)

    @property
    def _durations(self) -> Sequence[float]:
        return self.numbers[len(Outcome) : len(Outcome) + _BUCKETS + 1]

    @property
    def _waits(self) -> Sequence[float]:
        return self.numbers[len(Outcome) + _BUCKETS + 1 :]

    def _outcome(self, outcome: Outcome) -> int:
        return int(self.numbers[outcome])


NOTHING = Counts((0.0,) * _WIDTH)


def so_far() -> dict[Labels, Counts]:
    """What this process has counted since it started, by queue and actor."""
    figures = JOBS.figures()
    letters: dict[Labels, float] = {}
    for (queue, actor, _), numbers in DEAD_LETTERS.family().series.items():
        letters[queue, actor] = letters.get((queue, actor), 0.0) + numbers[0]
    return {
        labels: Counts.of(figures.get(labels), letters.get(labels, 0.0))
        for labels in figures.keys() | letters
    }


def add(totals: dict[Labels, Counts], more: Mapping[Labels, Counts]) -> None:
    """Add what was counted to totals, by queue and actor."""
    for labels, counts in more.items():
        totals[labels] = totals.get(labels, NOTHING).plus(counts)


def since(totals: Mapping[Labels, Counts], earlier: Mapping[Labels, Counts]) -> dict[Labels, Counts]:
    """What was counted between two moments; those of which nothing was are left out."""
    found = {labels: counts - earlier.get(labels, NOTHING) for labels, counts in totals.items()}
    return {labels: counts for labels, counts in found.items() if not counts.is_nothing}


def _mean(numbers: Sequence[float]) -> float | None:
    count = sum(numbers[:-1])
    return numbers[-1] / count if count else None


def _quantile(buckets: Sequence[float], quantile: float) -> float | None:
    """As Prometheus' ``histogram_quantile``: evenly spread within a bucket; the highest has no upper end."""
    total = sum(buckets)
    if not total:
        return None
    wanted, below, lower = quantile * total, 0.0, 0.0
    for upper, count in zip(SECONDS, buckets, strict=False):
        if count and below + count >= wanted:
            return lower + (upper - lower) * (wanted - below) / count
        below, lower = below + count, upper
    return SECONDS[-1]
