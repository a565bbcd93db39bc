"""Writes families as text for Prometheus, by prometheus-client; the only module that imports that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import CollectorRegistry
from prometheus_client.utils import floatToGoString

from ..measures.families import Family


def exposition(families: Iterable[Family], accept: str = "") -> tuple[bytes, str]:
    """The text, and its content type, in the format that the header ``Accept`` prefers."""
    encode: Callable[[CollectorRegistry], bytes]
    encode, content_type = choose_encoder(accept)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(list(families)))
    return encode(registry), content_type


class _Collected:
    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        for family in self._families:
            yield _metric(family)


def _metric(family: Family) -> Metric:
    labels = list(family.labels)
    if family.kind == "histogram":
        histogram = HistogramMetricFamily(family.name, family.help, labels=labels)
        for values, numbers in family.series.items():
            histogram.add_metric(list(values), _buckets(family.bounds, numbers), numbers[-1])
        return histogram
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = kind(family.name, family.help, labels=labels)
    for values, numbers in family.series.items():
        metric.add_metric(list(values), numbers[0])
    return metric


def _buckets(bounds: Sequence[float], numbers: Sequence[float]) -> list[tuple[str, float]]:
    names = [*map(floatToGoString, bounds), "+Inf"]
    total, found = 0.0, []
    for name, number in zip(names, numbers[:-1], strict=True):
        total += number
        found.append((name, total))
    return found
