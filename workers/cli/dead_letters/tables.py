"""Dead letters as tables for people, and as JSON."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ...dead_letters.content import read
from ...dead_letters.letter import DeadLetter
from ...display.times import is_time, length_of_time, timestamp
from ...records.headers import TOO_LONG_HEADER, text_of
from ..terminal import visible, visible_json

_COLUMNS = ("id", "when", "queue", "actor", "reason", "error", "attempts", "replays")
_ERROR = _COLUMNS.index("error")
_NUMBERS = {"attempts", "replays"}
#: A terminal with at least so many columns has room for a table with the errors in it.
_WIDE = 160


def table(letters: Iterable[DeadLetter], width: int) -> Table | Text:
    """A line for each dead letter; on a narrow terminal, its error stands in a second line."""
    rows = [_row(letter) for letter in letters]
    if width < _WIDE:
        return _two_lines_each(rows, width)
    found = Table(box=None)
    for name in _COLUMNS:
        found.add_column(name, no_wrap=True, justify="right" if name in _NUMBERS else "left")
    # Without this, a lack of room would shorten every column, the ids too.
    others = [at for at in range(len(_COLUMNS)) if at != _ERROR]
    taken = sum(max(cell_len(row[at]) for row in (_COLUMNS, *rows)) + 2 for at in others)
    found.columns[_ERROR].overflow = "ellipsis"
    found.columns[_ERROR].max_width = max(width - taken - 2, len("error"))
    for row in rows:
        found.add_row(*(Text(cell) for cell in row))
    return found


def _row(letter: DeadLetter) -> list[str]:
    ago = length_of_time(max(0.0, time.time() - letter.time_ms / 1000))
    cells = [
        letter.id,
        f"{ago} ago",
        letter.queue or "",
        letter.actor or "",
        letter.reason,
        letter.error,
        str(letter.attempts),
        str(letter.replays),
    ]
    return [visible(cell) for cell in cells]


def _two_lines_each(rows: Sequence[Sequence[str]], width: int) -> Text:
    first = [_COLUMNS[:_ERROR], *(row[:_ERROR] for row in rows)]
    widths = [max(cell_len(row[place]) for row in first) for place in range(_ERROR)]
    lines = ["  ".join(map(set_cell_size, row, widths)).rstrip() for row in first]
    shown = [lines[0]]
    for line, row in zip(lines[1:], rows, strict=True):
        error_text, attempts, replays = row[_ERROR:]
        below = f"    attempts {attempts}, replays {replays}: {error_text}"
        shown += [line, set_cell_size(below, max(40, width)).rstrip()]
    return Text("\n".join(shown), no_wrap=True, overflow="ignore")


def groups(counts: Counter[str], name: str) -> Table:
    """How many dead letters have each value, the most frequent first."""
    found = Table(name, "dead letters", box=None)
    found.columns[1].justify = "right"
    for value, count in counts.most_common():
        found.add_row(Text(visible(value)), str(count))
    return found


def details(letter: DeadLetter) -> Group:
    """Everything that is known about one dead letter."""
    facts = Table.grid(padding=(0, 2))
    enqueued_ms = _enqueued_ms(letter)
    rows = {
        "id": letter.id,
        "given up": f"{timestamp(letter.time_ms)} by {letter.worker}, group {letter.group}",
        "reason": letter.reason,
        "queue": letter.queue or "not known",
        "actor": letter.actor or "not known",
        "kept": _kept(letter),
        "attempts": str(letter.attempts),
        "replays": ", ".join(timestamp(ms) for ms in letter.replayed_at_ms) or "none",
        "from": str(letter.origin),
        "first from": letter.first_origin,
        "enqueued": timestamp(enqueued_ms) if enqueued_ms > 0 else "not known",
        "error": letter.error,
    }
    for name, value in rows.items():
        facts.add_row(name, Text(visible(value)))
    parts: list[RenderableType] = [facts, Text("\nheaders"), _headers(letter)]
    parts += [Text("\nmessage"), _message(letter)]
    if letter.traceback:
        parts += [Text("\ntraceback"), Text(visible(letter.traceback.rstrip()))]
    return Group(*parts)


def as_json(letter: DeadLetter) -> dict[str, object]:
    """The object that ``--json`` prints; ``message`` is None if the bytes cannot be read."""
    return {
        "id": letter.id,
        "time": timestamp(letter.time_ms),
        "reason": letter.reason,
        "queue": letter.queue,
        "actor": letter.actor,
        "attempts": letter.attempts,
        "replayed_at": [timestamp(ms) for ms in letter.replayed_at_ms],
        "exception": letter.exception_type,
        "error": letter.exception_message,
        "traceback": letter.traceback,
        "origin": str(letter.origin),
        "first_origin": letter.first_origin,
        "worker": letter.worker,
        "message": _parsed(letter),
    }


def _kept(letter: DeadLetter) -> str:
    size = text_of(TOO_LONG_HEADER, letter.job_headers)
    return f"the first {len(letter.value or b'')} bytes of {size}" if size else "all of it"


def _headers(letter: DeadLetter) -> Table:
    found = Table.grid(padding=(0, 2))
    for name, value in letter.job_headers:
        found.add_row(Text(visible(f"  {name}")), Text(visible(value.decode(errors="backslashreplace"))))
    return found


def _message(letter: DeadLetter) -> Text:
    parsed = _parsed(letter)
    if parsed is None:
        return Text("none" if letter.value is None else repr(letter.value))
    match parsed:
        case {"options": {"traceback": str(trace)} as options}:
            # The traceback of the attempt before the last; the last one's is below.
            parsed = parsed | {
                "options": options | {"traceback": "... " + trace.rstrip().rpartition("\n")[2]}
            }
    return Text(visible_json(json.dumps(parsed, indent=2, ensure_ascii=False)), no_wrap=True)


def _enqueued_ms(letter: DeadLetter) -> int:
    """When the job was first sent; if its message does not say that, when its record was written."""
    match _parsed(letter):
        case {"message_timestamp": int(ms)} if is_time(ms):
            return ms
    return letter.origin.timestamp_ms


def _parsed(letter: DeadLetter) -> Any:
    """The job in types that JSON has; None for bytes that cannot be read, or that are nested too deep."""
    with suppress(RecursionError):
        return _as_json_value(read(letter.value))
    return None


def _as_json_value(value: Any) -> Any:
    """The value in types that JSON has; a value of any other type as its ``repr``."""
    if isinstance(value, dict):
        return {str(name): _as_json_value(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json_value(inner) for inner in value]
    return value if value is None or isinstance(value, str | int | float | bool) else repr(value)
