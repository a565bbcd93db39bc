"""Runs the rounds of a benchmark."""

from __future__ import annotations

from collections.abc import Callable

from .errors import NotMeasured
from .kit import Kit
from .model import Benchmark, Figure, Results, figures


def run(benchmark: Benchmark, kit: Kit, rounds: int, say: Callable[[str], object]) -> list[Figure]:
    """Measure all contestants in turn, round after round.

    One that fails in the first round is not tried again; its error is among the figures.
    """
    results = Results()
    count = min(rounds, benchmark.max_rounds or rounds)
    for number in range(1, count + 1):
        say(f"{benchmark.name}: round {number} of {count}")
        _round(benchmark, kit, results)
        kit.delete_topics()
    return figures(benchmark, results)


def _round(benchmark: Benchmark, kit: Kit, results: Results) -> None:
    readings: dict[str, float] = {}
    for contestant in benchmark.contestants:
        if kit.quick and contestant.slow:
            results.errors[contestant.name] = "left out with --quick"
        if contestant.name in results.errors:
            continue
        try:
            measured = contestant.measure(kit)
        except NotMeasured as exc:
            results.errors[contestant.name] = str(exc)
            continue
        readings |= {f"{contestant.name}.{name}": value for name, value in measured.items()}
    results.rounds.append(readings)
