"""Which dead letters are meant. Pure: no I/O, no clock."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..errors import WrongUsage
from .letter import DeadLetter, Reason

_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d|w)")
_MS = {"s": 1_000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


@dataclass(frozen=True, slots=True)
class Filter:
    """All that is set must hold. Times are in ms since 1970, and bound when the job was given up."""

    ids: tuple[str, ...] = ()
    queue: str | None = None
    actor: str | None = None
    reason: Reason | None = None
    exception: str | None = None
    text: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    def matches(self, letter: DeadLetter) -> bool:
        """Ids match by their beginning, an exception with or without its module, a text in any case."""
        return (
            (not self.ids or any(letter.id.startswith(beginning) for beginning in self.ids))
            and self.queue in {None, letter.queue}
            and self.actor in {None, letter.actor}
            and self.reason in {None, letter.reason}
            and (self.exception is None or _is_named(letter.exception_type, self.exception))
            and (self.text is None or _contains(letter, self.text))
            and (self.since_ms is None or letter.time_ms >= self.since_ms)
            and (self.until_ms is None or letter.time_ms <= self.until_ms)
        )

    @property
    def is_empty(self) -> bool:
        return self == Filter()


def parse_time(text: str, now_ms: int) -> int:
    """A time in ms: an age such as ``2h`` or ``3d`` before now, or ISO 8601, in UTC where it has no zone.

    Raises WrongUsage.
    """
    age = _AGE.fullmatch(text.strip())
    try:
        if age:
            ms = now_ms - int(float(age[1]) * _MS[age[2]])
        else:
            time = datetime.fromisoformat(text)
            ms = int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)
        datetime.fromtimestamp(ms / 1000, UTC)
    except (ValueError, OverflowError, OSError) as exc:
        raise WrongUsage(
            f"{text[:40]!r} is no time; write an age such as 90s, 15m, 2h, 3d or 1w, or 2026-01-31T08:00"
        ) from exc
    return ms


def _is_named(full_name: str | None, wanted: str) -> bool:
    return full_name is not None and wanted in {full_name, full_name.rpartition(".")[2]}


def _contains(letter: DeadLetter, text: str) -> bool:
    """In error, traceback or the job itself; there also as its JSON means it, not only as it is written."""
    value = (letter.value or b"").decode(errors="replace")
    wanted = text.casefold()
    found = (letter.exception_message, letter.traceback, value)
    return any(wanted in part.casefold() for part in found if part) or wanted in _meant(value).casefold()


def _meant(value: str) -> str:
    if "\\" not in value:  # nothing is escaped
        return ""
    try:
        return "\n".join(_texts(json.loads(value)))
    except (ValueError, RecursionError):
        return ""


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
