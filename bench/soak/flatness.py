"""Decides whether a figure grows. Pure.

The slope is the median of the slopes between all pairs of samples (Theil and Sen): a third of the samples may
be off, as they are around a kill, and it is not. Only samples of the same process are paired, once it has
warmed up, so a leak shows that each restart takes away again. Memory is judged between kills too: the backlog
after one raises what a process holds by a step that does not come back, a leak raises it in calm hours.
"""

from __future__ import annotations

import statistics
from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

_HOUR_S = 3_600.0
#: At most so many samples of one process are paired: the pairs are the square of that.
_MOST = 120


class Point(NamedTuple):
    """A sample: when, in seconds, of which process (0 for what outlives processes), and its value."""

    at_s: float
    process: int
    value: float


@dataclass(frozen=True, slots=True)
class Bound:
    """How much a figure may grow in a run, or in an hour: ``share`` of its median, and ``more``."""

    share: float
    more: float
    #: Samples of a process before this age do not count; of what outlives processes, of the run.
    warm_up_s: float
    #: Less than that is no ground to judge on.
    least_s: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """``growth`` is what the slope makes of the run, or of an hour; None if there are too few samples."""

    name: str
    median: float
    worst: float
    growth: float | None
    allowed: float

    @property
    def is_flat(self) -> bool:
        return self.growth is None or self.growth <= self.allowed


def judge(
    name: str,
    points: Sequence[Point],
    bound: Bound,
    length_s: float,
    disturbed: Sequence[tuple[float, float]] = (),
) -> Verdict:
    """Whether a figure is flat over a run of ``length_s``.

    ``disturbed``, in order, are spans of time (from, to) whose samples do not count, nor does a change from
    before one to after it.
    """
    values = [point.value for point in points]
    median = statistics.median(values) if values else 0.0
    slope = _slope(_calm(_warm(points, bound.warm_up_s), disturbed), bound.least_s)
    allowed = bound.share * median + bound.more
    growth = None if slope is None else slope * min(_HOUR_S, max(0.0, length_s - bound.warm_up_s))
    return Verdict(name, median, max(values, default=0.0), growth, allowed)


def _calm(
    by_process: Mapping[int, list[Point]], disturbed: Sequence[tuple[float, float]]
) -> list[list[Point]]:
    """The samples of each process, of each stretch between two disturbances."""
    starts, ends = [start for start, _ in disturbed], [end for _, end in disturbed]
    stretches: dict[tuple[int, int], list[Point]] = {}
    for process, own in by_process.items():
        for point in own:
            number = bisect(ends, point.at_s)
            if number == bisect(starts, point.at_s):
                stretches.setdefault((process, number), []).append(point)
    return list(stretches.values())


def _warm(points: Sequence[Point], warm_up_s: float) -> Mapping[int, list[Point]]:
    by_process: dict[int, list[Point]] = {}
    for point in points:
        by_process.setdefault(point.process, []).append(point)
    return {
        process: [point for point in own if point.at_s >= (own[0].at_s if process else 0.0) + warm_up_s]
        for process, own in by_process.items()
    }


def _slope(stretches: Sequence[Sequence[Point]], least_s: float) -> float | None:
    """The slope per second; None if no process was watched for ``least_s``, once it was warm."""
    slopes = []
    for own in stretches:
        if own[-1].at_s - own[0].at_s < least_s:
            continue
        some = own[:: len(own) // _MOST + 1]
        slopes += [
            (later.value - earlier.value) / (later.at_s - earlier.at_s)
            for earlier, later in combinations(some, 2)
            if later.at_s - earlier.at_s >= least_s / 2
        ]
    return statistics.median(slopes) if slopes else None
