"""A filter of dead letters as a condition of SQL on the table of the index. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..filter import Filter
from ..letter import Reason


def condition_of(wanted: Filter) -> tuple[str, list[Any]]:
    """The condition and its values. The text of a filter is left out: the index does not have it."""
    conditions, values = ["is_old = 0"], list[Any]()
    for condition, *given in _conditions(wanted):
        conditions.append(condition)
        values += [storable(value) if isinstance(value, str) else value for value in given]
    return " AND ".join(conditions), values


def storable(text: str) -> str:
    """Text that SQLite can keep: half a surrogate pair, which UTF-8 cannot write, is written out."""
    return text.encode(errors="backslashreplace").decode()


def _conditions(wanted: Filter) -> Iterator[tuple[Any, ...]]:
    if wanted.ids:
        # No LIKE: case counts, and % is a character like any other.
        yield (
            f"({' OR '.join(['substr(id, 1, length(?)) = ?'] * len(wanted.ids))})",
            *(one for letter_id in wanted.ids for one in (letter_id, letter_id)),
        )
    named = "SELECT number FROM texts WHERE text = ?"
    for column, text in (
        ("queue", wanted.queue),
        ("actor", wanted.actor),
        ("reason", None if wanted.reason is None else Reason(wanted.reason).value),
        ("kind", wanted.kind),
    ):
        if text is not None:
            yield f"{column} = ({named})", text
    if wanted.exception == "":
        yield f"(exception IS NULL OR exception = ({named}))", ""
    elif wanted.exception is not None:
        ending = "substr(text, -length(?) - 1) = '.' || ? AND instr(?, '.') = 0"
        yield (
            f"exception IN (SELECT number FROM texts WHERE text = ? OR ({ending}))",
            *[wanted.exception] * 4,
        )
    if wanted.since_ms is not None:
        yield "time >= ?", wanted.since_ms
    if wanted.until_ms is not None:
        yield "time <= ?", wanted.until_ms
