"""The figures of metrics at one moment, as plain values that processes exchange and add up. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

Kind = Literal["counter", "gauge", "histogram"]
Labels = tuple[str, ...]


class Family(NamedTuple):
    """One metric with all of its label values.

    A histogram has a number for each bucket (of ``bounds`` and one above), then the sum of what was observed;
    the others have one number.
    """

    name: str
    kind: Kind
    help: str
    labels: Labels
    series: Mapping[Labels, Sequence[float]]
    bounds: tuple[float, ...] = ()


def merged(parts: Iterable[Iterable[Family]]) -> list[Family]:
    """The families of several processes as one: figures with the same labels are added.

    A part that measures something in another way, as an older version may, is left out of that family.
    """
    found: dict[str, Family] = {}
    for family in (family for part in parts for family in part):
        first = found.get(family.name)
        if first is None:
            found[family.name] = family
        elif _shape(first) == _shape(family):
            found[family.name] = first._replace(series=_added(first.series, family.series))
    return list(found.values())


def to_json(families: Iterable[Family]) -> list[Any]:
    """Families as JSON values, for :func:`from_json`."""
    return [[*family._replace(series={}), *_listed(family.series)] for family in families]


def from_json(values: Any) -> list[Family]:
    """Read what :func:`to_json` made. Raises ValueError, TypeError or KeyError for anything else."""
    found = []
    for name, kind, text, labels, _, bounds, *series in values:
        by_labels = {tuple(one): tuple(numbers) for one, numbers in series}
        found.append(Family(name, kind, text, tuple(labels), by_labels, tuple(bounds)))
    return found


def _listed(series: Mapping[Labels, Sequence[float]]) -> list[Any]:
    return [[labels, numbers] for labels, numbers in series.items()]


def _shape(family: Family) -> tuple[Kind, Labels, tuple[float, ...]]:
    return family.kind, family.labels, family.bounds


def _added(
    first: Mapping[Labels, Sequence[float]], second: Mapping[Labels, Sequence[float]]
) -> dict[Labels, Sequence[float]]:
    total = dict(first)
    for labels, numbers in second.items():
        before = total.get(labels)
        total[labels] = numbers if before is None else [a + b for a, b in zip(before, numbers, strict=True)]
    return total
