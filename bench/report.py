"""The results as tables for a person, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from .goals import Figure
from .pools import POOLS


def write_json(file: Path, figures: Mapping[str, Figure]) -> None:
    """Write ``{"figures": {name: {"value", "unit", "goal", "ok", "rounds"}}}``."""
    entries = {name: figure.as_json() for name, figure in figures.items()}
    file.write_text(json.dumps({"figures": entries}, indent=2) + "\n")


def show(console: Console, figures: Mapping[str, Figure]) -> None:
    """Print what has a goal, then the pools side by side, then the rest."""
    console.print(_goals_table(figures))
    if any(name.startswith("throughput_per_s.") for name in figures):
        console.print(_pools_table(figures))
    rest = [figure for name, figure in figures.items() if figure.goal is None and not _is_of_pools(name)]
    if rest:
        console.print(_rest_table(rest))


def _goals_table(figures: Mapping[str, Figure]) -> Table:
    table = Table(title="Goals", title_justify="left")
    table.add_column("figure")
    table.add_column("median", justify="right")
    table.add_column("rounds", justify="right")
    table.add_column("goal", justify="right")
    table.add_column("")
    for figure in figures.values():
        if figure.goal is not None:
            verdict = "[green]reached" if figure.ok else "[red]missed"
            table.add_row(
                f"{figure.name}\n[dim]{figure.goal.text}",
                number(figure.value, figure.unit),
                _spread(figure),
                f"{figure.goal.relation} {number(figure.goal.limit, figure.unit)}",
                f"[red]not run: {figure.error}" if figure.value is None else verdict,
            )
    return table


def _pools_table(figures: Mapping[str, Figure]) -> Table:
    table = Table(title="No-op jobs: one process, 8 threads, a backlog enqueued before", title_justify="left")
    table.add_column("pool")
    for column in ("jobs/s", "KafkaBroker is", "enqueue/s", "KafkaBroker is"):
        table.add_column(column, justify="right")
    table.add_column("")
    for pool, kind in POOLS.items():
        cells = []
        for name in ("throughput_per_s", "enqueue_per_s"):
            figure, ours = figures.get(f"{name}.{pool}"), figures.get(f"{name}.kafka")
            value = figure.value if figure else None
            cells += [number(value, ""), _times(ours.value if ours else None, value)]
        figure = figures.get(f"throughput_per_s.{pool}")
        table.add_row(kind.title, *cells, f"[red]{figure.error}" if figure and figure.error else "")
    return table


def _rest_table(rest: list[Figure]) -> Table:
    table = Table(title="Also measured", title_justify="left")
    table.add_column("figure")
    table.add_column("median", justify="right")
    table.add_column("rounds", justify="right")
    for figure in sorted(rest, key=lambda figure: figure.name):
        table.add_row(
            figure.name,
            number(figure.value, figure.unit) if not figure.error else figure.error,
            _spread(figure),
        )
    return table


def number(value: float | None, unit: str) -> str:
    """A value with three digits that matter, and its unit."""
    if value is None:
        return "-"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f} {unit}".strip()


def _spread(figure: Figure) -> str:
    if len(figure.rounds) < 2:
        return ""
    return f"{number(min(figure.rounds), '')} - {number(max(figure.rounds), '')}"


def _times(ours: float | None, other: float | None) -> str:
    return f"{ours / other:.2f} x" if ours and other else ""


def _is_of_pools(name: str) -> bool:
    return name.startswith(("throughput_per_s.", "enqueue_per_s."))
