"""Tells how many workers have confirmed a change."""

from __future__ import annotations

import sys
from typing import Any

from ...broker.kafka_broker import KafkaBroker
from ...controls.controls import Change, Confirmation
from ...display.lists import few
from ..terminal import complain
from ..times import parse_length

#: The most workers that are named.
NAMED = 5


def seconds(text: str) -> float:
    """A length of time in seconds; ``0`` waits for nobody. Raises WrongUsage."""
    return 0.0 if text in {"0", "0s"} else parse_length(text).total_seconds()


def confirmed(
    broker: KafkaBroker, change: Change, wait_s: float, *, quiet: bool, ignore_silent: bool
) -> Confirmation:
    """Wait for the workers, with the count on the terminal as it grows."""
    shows = not quiet and sys.stderr.isatty()

    def tell(found: Confirmation) -> None:
        if shows:
            print(f"\r{found} ", end="", file=sys.stderr, flush=True)

    found = broker.controls.wait_confirmed(change, wait_s, tell, ignore_silent=ignore_silent)
    if shows:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    return found


def tell(found: Confirmation) -> int:
    """Print the count, and who is missing; returns the exit status."""
    print(found)
    if found.missing:
        complain(f"not confirmed: {few(found.missing, most=NAMED)}; they have the last state that they read")
    if found.silent:
        rest = "" if found.ignores_silent else "; if they are dead, repeat this with --ignore-silent"
        complain(f"not heard of for a while, dead or standing still: {few(found.silent, most=NAMED)}{rest}")
    return int(not found.is_complete)


def as_values(found: Confirmation) -> dict[str, Any]:
    """The count as JSON values."""
    return {
        "confirmed": found.confirmed,
        "workers": found.total,
        "missing": list(found.missing),
        "silent": list(found.silent),
    }
