"""The command line: ``python -m bench.soak [--minutes N | --hours N] [--day EVENTS] [--report FILE]``."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from .judging import failures, verdicts
from .plan import Load, kills
from .report import page, summary
from .run import soak

#: Events a minute: of a steady run, and of the busiest hour of a day.
_STEADY, _BUSIEST = 10_000.0, 20_000.0
_TERMINATED = 128 + signal.SIGTERM


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a soak, write its report, and return the exit status: 1 if it has not passed."""
    options = _parser().parse_args(arguments)
    # So that all services are ended then, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))
    logging.disable(logging.WARNING)  # kafka-python tells of each kill, at length
    per_minute = options.per_minute or (_BUSIEST if options.day else _STEADY)
    load = Load.of_a_day(options.day, per_minute) if options.day else Load(per_minute, 60 * options.minutes)
    planned = [] if options.no_kills or options.day else kills(load.length_s, options.seed)
    _say(f"{load.length_s / 60:.1f} minutes, {per_minute:,.0f} events a minute, {len(planned)} kills")
    result = soak(load, planned, _say)
    found = verdicts(result)
    failed = failures(result, found)
    options.report.write_text(page(result, found, failed), encoding="utf-8")
    for line in summary(result, failed):
        print(line)  # noqa: T201
    print(f"report: {options.report}")  # noqa: T201
    return 1 if failed else 0


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)  # noqa: T201


def _hours(text: str) -> float:
    """So many hours in minutes."""
    return 60 * float(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.soak",
        description="Run the chatbot under load for long, kill its services in a fixed random order, and see "
        "that nothing is lost and nothing grows. Exits with 1 if it does.",
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=float, default=30.0, help="how long; 30")
    length.add_argument("--hours", type=_hours, dest="minutes", metavar="HOURS", help="the same, in hours")
    parser.add_argument(
        "--per-minute", type=float, help="events a minute; 10000, of a day at its busiest 20000"
    )
    parser.add_argument("--seed", type=int, default=17, help="of the order of the kills")
    parser.add_argument("--no-kills", action="store_true", help="kill nothing")
    parser.add_argument(
        "--day", type=int, default=0, metavar="EVENTS", help="the load of a day, without kills"
    )
    parser.add_argument("--report", type=Path, default=Path("soak.html"), metavar="FILE", help="soak.html")
    return parser
