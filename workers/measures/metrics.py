"""Metrics that any module may have: counters and histograms. Safe for any thread; no I/O.

A metric is made once, as a constant of its module, and is in :func:`families` from then on. Adding to one
takes about a microsecond. What jobs need is quicker, in `jobs`.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence

from .families import Family, Kind, Labels

#: Bounds of buckets for lengths of time, in seconds.
SECONDS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    300.0,
    1_800.0,
)
#: A metric has so many combinations of label values at most: names can come from records that others wrote.
MAX_SERIES = 1_000
#: Stands for each label of those beyond.
OTHER = "other"

_sources: list[Callable[[], Iterable[Family]]] = []


def families() -> list[Family]:
    """What this process has counted since it started."""
    return [family for source in _sources for family in source()]


def add_source(source: Callable[[], Iterable[Family]]) -> None:
    """Have :func:`families` include what ``source`` returns; it is called on the thread that asks."""
    _sources.append(source)


def bounded(labels: Labels, known: int) -> Labels:
    """The labels of a new series; one for all beyond :data:`MAX_SERIES`."""
    return labels if known < MAX_SERIES else (OTHER,) * len(labels)


class _Metric:
    kind: Kind

    def __init__(
        self, name: str, help_text: str, labels: Sequence[str] = (), bounds: tuple[float, ...] = ()
    ) -> None:
        self._name = name
        self._help = help_text
        self._labels = tuple(labels)
        self._bounds = bounds
        self._lock = threading.Lock()
        self._series: dict[Labels, list[float]] = {}
        if not labels:
            self._numbers(())  # shows as 0 before anything is counted
        add_source(lambda: (self.family(),))

    def family(self) -> Family:
        """What was counted so far."""
        with self._lock:
            series = {labels: tuple(numbers) for labels, numbers in self._series.items()}
        return Family(self._name, self.kind, self._help, self._labels, series, self._bounds)

    def _numbers(self, labels: Labels) -> list[float]:
        found = self._series.get(labels)
        if found is None:
            width = len(self._bounds) + 2 if self.kind == "histogram" else 1
            found = self._series.setdefault(bounded(labels, len(self._series)), [0.0] * width)
        return found


class Counter(_Metric):
    """Counts what happened; its name ends in ``_total``."""

    kind = "counter"

    def add(self, *labels: str, by: float = 1.0) -> None:
        """Add to the series of these label values."""
        with self._lock:
            self._numbers(labels)[0] += by


class Histogram(_Metric):
    """Counts observed values by their size."""

    kind = "histogram"

    def __init__(
        self, name: str, help_text: str, labels: Sequence[str] = (), bounds: tuple[float, ...] = SECONDS
    ) -> None:
        """``bounds``: upper bounds of the buckets, rising; there is one more for all above."""
        super().__init__(name, help_text, labels, bounds)

    def observe(self, value: float, *labels: str) -> None:
        """Add a value to the series of these label values."""
        with self._lock:
            numbers = self._numbers(labels)
            numbers[bisect_left(self._bounds, value)] += 1
            numbers[-1] += value
