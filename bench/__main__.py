"""`python -m bench`: measure, print, and write JSON."""

from __future__ import annotations

import argparse
import os
import sys
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from workers import WorkersError

from . import report, servers
from .goals import Samples, figures
from .measurements import MEASUREMENTS, Run
from .processes import ChildFailed
from .sizes import FULL, QUICK, Sizes

_EPILOG = """
Kafka is the cluster of KAFKA_BOOTSTRAP_SERVERS, without login, else one that is started for the run. Redis is
Debian's redis-server, if it is installed. The exit status is 1 where a figure that has a goal could not be
measured; whether goals were reached is in the table and in the JSON.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = _parser().parse_args(arguments)
    chosen = options.only or list(MEASUREMENTS)
    log = Console(stderr=True, highlight=False)
    try:
        run, rounds = _measure(chosen, QUICK if options.quick else FULL, log)
    except WorkersError as exc:
        log.print(f"bench: {exc}", style="red")
        return 1
    except KeyboardInterrupt:
        return 130
    found = figures(chosen, rounds, run.errors)
    report.show(Console(), found)
    if options.json:
        report.write_json(options.json, found)
    return int(any(figure.goal and figure.value is None for figure in found.values()))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure KafkaBroker beside other pools.", epilog=_EPILOG
    )
    parser.add_argument("--quick", action="store_true", help="smaller numbers, in less than a minute")
    parser.add_argument(
        "--only",
        action="append",
        metavar="NAME",
        choices=MEASUREMENTS,
        help=f"one of {', '.join(MEASUREMENTS)}",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    return parser


def _measure(chosen: Sequence[str], sizes: Sizes, log: Console) -> tuple[Run, list[Samples]]:
    """All rounds; in each one all measurements take their turn, so that a drift of the machine hits all."""
    prefix = f"bench-{uuid.uuid4().hex[:6]}-"
    with ExitStack() as stack:
        kafka = stack.enter_context(servers.kafka(os.environ.get("KAFKA_BOOTSTRAP_SERVERS"), prefix))
        redis, redis_error = None, None
        try:
            redis = stack.enter_context(servers.redis())
        except ChildFailed as exc:
            redis_error = str(exc)
        run = Run(kafka, redis, redis_error, sizes, prefix)
        return run, [_round(run, number, chosen, log) for number in range(sizes.rounds)]


def _round(run: Run, number: int, chosen: Sequence[str], log: Console) -> Samples:
    run.round = number
    samples: dict[str, float] = {}
    for name in chosen:
        if name in run.errors:
            continue
        log.print(f"round {number + 1} of {run.sizes.rounds}: {name}")
        try:
            samples |= MEASUREMENTS[name](run)
        except ChildFailed as exc:
            run.errors[name] = str(exc)
    return samples


if __name__ == "__main__":
    sys.exit(main())
