"""A filter of dead letters as a condition of SQL on the table of the index. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..filter import Filter
from ..letter import Reason

#: The number of a text that a letter does not have.
NO_TEXT = 0
_LAST_CHARACTER, _BEFORE_SURROGATES, _AFTER_SURROGATES = 0x10FFFF, 0xD7FF, 0xE000


def condition_of(wanted: Filter, counting: str = "is_old = 0") -> tuple[str, list[Any]]:
    """The condition and its values; ``counting`` is that of the rows that count.

    The text of a filter is left out: the index does not have it.
    """
    conditions, values = [counting], list[Any]()
    for condition, *given in _conditions(wanted):
        conditions.append(condition)
        values += [storable(value) if isinstance(value, str) else value for value in given]
    return " AND ".join(conditions), values


def storable(text: str) -> str:
    """Text that SQLite can keep: half a surrogate pair, which UTF-8 cannot write, is written out."""
    return text.encode(errors="backslashreplace").decode()


def _conditions(wanted: Filter) -> Iterator[tuple[Any, ...]]:
    if wanted.ids:
        yield _begins_with([storable(letter_id) for letter_id in wanted.ids])
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
        yield f"(exception = {NO_TEXT} OR exception = ({named}))", ""
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


def _begins_with(beginnings: list[str]) -> tuple[Any, ...]:
    """The condition that an id begins with one of these: ranges, which an index of the ids can answer."""
    ranges, values = [], []
    for beginning in beginnings:
        end = _behind(beginning)
        ranges.append("id >= ?" if end is None else "(id >= ? AND id < ?)")
        values += [beginning] if end is None else [beginning, end]
    return (f"({' OR '.join(ranges)})", *values)


def _behind(beginning: str) -> str | None:
    """The first text behind all that begin so, by code points as SQLite orders texts, or None."""
    shorter = beginning.rstrip(chr(_LAST_CHARACTER))
    if not shorter:
        return None
    last = ord(shorter[-1])
    return shorter[:-1] + chr(_AFTER_SURROGATES if last == _BEFORE_SURROGATES else last + 1)
