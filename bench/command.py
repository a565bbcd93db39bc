"""The command line: ``python -m bench [--quick] [--only NAME] [--json FILE] [--rounds N] [--minutes N]``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from workers.display.spelling import did_you_mean

from . import report
from .benchmarks import BENCHMARKS
from .kit import kit
from .model import Benchmark, Figure
from .rounds import run

#: Exit statuses: for a goal that was missed, and for a wrong command line.
GOAL_MISSED = 1
USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks one after the other, print tables, and return the exit status."""
    options = _parser().parse_args(arguments)
    chosen = [
        benchmark
        for benchmark in BENCHMARKS
        if benchmark.name == options.only or (options.only is None and not (options.quick and benchmark.slow))
    ]
    if not chosen:
        print(unknown(options.only), file=sys.stderr)  # noqa: T201
        return USAGE
    # Without a terminal to ask, choose a width that the names fit in.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    figures: list[Figure] = []
    with kit(quick=options.quick, minutes=options.minutes) as made:
        for benchmark in chosen:
            found = run(benchmark, made, options.rounds or (1 if options.quick else 3), console.print)
            figures += found
            console.print(report.table(benchmark.title, found))
            for note in report.notes(found):
                console.print(note, markup=False, soft_wrap=True)
    if options.json is not None:
        options.json.write_text(json.dumps(report.as_json(figures), indent=2) + "\n")
    return _conclude(figures, console)


def unknown(name: str) -> str:
    """The error for a name that no benchmark has."""
    names = [benchmark.name for benchmark in BENCHMARKS]
    hint = did_you_mean(name, names, quoted=True, otherwise=f"; there are: {', '.join(names)}")
    return f"There is no benchmark {name!r}{hint}"


def _conclude(figures: Sequence[Figure], console: Console) -> int:
    missed, unmeasured = report.missed(figures), report.open_goals(figures)
    if unmeasured:
        console.print(f"Goals not measured: {', '.join(unmeasured)}")
    if missed:
        console.print(f"Goals missed: {', '.join(missed)}")
        return GOAL_MISSED
    console.print(f"Goals met: {sum(figure.ok is True for figure in figures)}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure speed and memory, side by side with peers, in one run on this machine. "
        "Exits with 1 where a goal is missed.",
        epilog=_list_of(BENCHMARKS),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="less of everything, without what is slow (*)")
    parser.add_argument("--only", metavar="NAME", help="one benchmark")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures there too")
    parser.add_argument("--rounds", metavar="N", type=_positive, help="rounds; 3, and 1 with --quick")
    parser.add_argument(
        "--minutes", metavar="N", type=_positive, help="how long live-churn goes on; 10, and 1 with --quick"
    )
    return parser


def _list_of(benchmarks: Sequence[Benchmark]) -> str:
    width = max(len(benchmark.name) for benchmark in benchmarks)
    lines = [f"{'*' if each.slow else ' '} {each.name:<{width}}  {each.title}" for each in benchmarks]
    return "\n".join(["benchmarks:", *lines])


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number
