"""Shows figures as a table and as JSON. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from .model import Figure

_VERDICTS = {True: "[green]yes[/]", False: "[red]no[/]", None: ""}


def table(title: str, figures: Sequence[Figure]) -> Table:
    """One benchmark's figures: median, lowest and highest of the rounds, goal."""
    made = Table(title=escape(title), title_justify="left", title_style="bold")
    made.add_column("figure", no_wrap=True)
    for column in ("median", "lowest", "highest"):
        made.add_column(column, justify="right", no_wrap=True)
    for column in ("unit", "goal", "met"):
        made.add_column(column, no_wrap=True)
    for figure in figures:
        made.add_row(escape(figure.name), *_cells(figure))
    return made


def notes(figures: Iterable[Figure]) -> list[str]:
    """Why something was not measured, one line each."""
    return [f"{figure.name}: {figure.error}" for figure in figures if figure.error and not figure.unit]


def _cells(figure: Figure) -> tuple[str, ...]:
    if figure.value is None:
        return ("not measured", "", "", figure.unit, str(figure.goal or ""), "")
    lowest, highest = min(figure.values), max(figure.values)
    numbers = (number(figure.value), number(lowest), number(highest))
    return (*numbers, figure.unit, str(figure.goal or ""), _VERDICTS[figure.ok])


def number(value: float) -> str:
    """A number with the digits that matter: 17,204, 842, 3.14."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def as_json(figures: Iterable[Figure]) -> dict[str, Any]:
    """``{"figures": {name: {"value", "unit", "goal", "ok"}}}``; what was not measured has an ``error``."""
    return {"figures": {figure.name: _entry(figure) for figure in figures}}


def _entry(figure: Figure) -> Mapping[str, Any]:
    entry = {
        "value": figure.value,
        "unit": figure.unit,
        "goal": str(figure.goal) if figure.goal else None,
        "ok": figure.ok,
    }
    return entry if figure.error is None else {**entry, "error": figure.error}


def missed(figures: Sequence[Figure]) -> list[str]:
    """The goals that were measured and not met."""
    return [figure.name for figure in figures if figure.ok is False]


def open_goals(figures: Sequence[Figure]) -> list[str]:
    """The goals that could not be measured."""
    return [figure.name for figure in figures if figure.goal is not None and figure.ok is None]
