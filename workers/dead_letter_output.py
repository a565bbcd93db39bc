"""How dead letters are shown to a person."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

from rich.console import Group
from rich.json import JSON
from rich.table import Table
from rich.text import Text

from .dead_letters import DeadLetter
from .output import length_of_time


def table(letters: Iterable[DeadLetter]) -> Table:
    """One line a dead letter."""
    found = Table(box=None)
    for name in ("id", "when", "queue", "actor", "reason"):
        found.add_column(name, no_wrap=name == "id")
    found.add_column("error", overflow="ellipsis", no_wrap=True, ratio=1)
    for name in ("attempts", "replays"):
        found.add_column(name, justify="right")
    now_s = time.time()
    for letter in letters:
        found.add_row(
            Text(letter.id),
            f"{length_of_time(max(0.0, now_s - letter.time_ms / 1000))} ago",
            Text(letter.queue or ""),
            Text(letter.actor or ""),
            letter.reason,
            Text(error(letter)),
            str(letter.attempts),
            str(letter.replays),
        )
    return found


def groups(counts: Counter[str], name: str) -> Table:
    """How many dead letters have each value, the most first."""
    found = Table(name, "dead letters", box=None)
    found.columns[1].justify = "right"
    for value, count in counts.most_common():
        found.add_row(Text(value), str(count))
    return found


def details(letter: DeadLetter) -> Group:
    """All that is known of one."""
    facts = Table.grid(padding=(0, 2))
    rows = {
        "id": letter.id,
        "given up": f"{timestamp(letter.time_ms)} by {letter.worker}, group {letter.group}",
        "reason": letter.reason,
        "queue": letter.queue or "not known",
        "actor": letter.actor or "not known",
        "attempts": str(letter.attempts),
        "replays": ", ".join(timestamp(ms) for ms in letter.replayed_at_ms) or "none",
        "from": str(letter.origin),
        "first from": letter.first_origin,
        "enqueued": timestamp(letter.origin.timestamp_ms),
        "error": error(letter),
    }
    for name, value in rows.items():
        facts.add_row(name, Text(value))
    parts = [facts, Text("\nheaders"), _headers(letter), Text("\nmessage"), _message(letter)]
    if letter.traceback:
        parts += [Text("\ntraceback"), Text(letter.traceback.rstrip())]
    return Group(*parts)


def as_json(letter: DeadLetter) -> dict[str, object]:
    """What ``--json`` prints; ``message`` is None where the bytes are no JSON."""
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


def error(letter: DeadLetter) -> str:
    """The exception's name and the first line of its text."""
    name = (letter.exception_type or "").rpartition(".")[2]
    text = (letter.exception_message or "").strip().partition("\n")[0]
    return f"{name}: {text}" if name and text else name or text


def timestamp(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds")


def _headers(letter: DeadLetter) -> Table:
    found = Table.grid(padding=(0, 2))
    for name, value in letter.job_headers:
        found.add_row(f"  {name}", Text(value.decode(errors="backslashreplace")))
    return found


def _message(letter: DeadLetter) -> JSON | Text:
    parsed = _parsed(letter)
    if parsed is not None:
        return JSON(json.dumps(parsed, ensure_ascii=False), highlight=False)
    return Text("none" if letter.value is None else repr(letter.value))


def _parsed(letter: DeadLetter) -> object | None:
    try:
        found: object = json.loads(letter.value or b"")
    except ValueError:
        return None
    return found
