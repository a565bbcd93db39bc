"""`todo-workers dead-letters list` and `show`; each function returns the exit status."""

from __future__ import annotations

import heapq
import json
import sys
from collections import Counter
from collections.abc import Iterator

from ...broker.kafka_broker import KafkaBroker
from ...dead_letters.filter import Filter
from ...dead_letters.letter import DeadLetter
from ..terminal import console
from . import tables as dead_letter_output
from .search import matching, not_found

FAILED = 1
#: What a table shows where nobody says how many.
_TABLE_LENGTH = 50


def show_list(broker: KafkaBroker, wanted: Filter, *, limit: int | None, as_json: bool) -> int:
    """The newest dead letters; as JSON without a limit all of them, as they come."""
    found = (entry.letter for entry in matching(broker, wanted, "reading"))
    if as_json:
        for letter in found if limit is None else _newest(found, limit):
            print(json.dumps(dead_letter_output.as_json(letter)))  # noqa: T201
        return 0
    total = 0

    def counted() -> Iterator[DeadLetter]:
        nonlocal total
        for total, letter in enumerate(found, 1):  # noqa: B007
            yield letter

    newest = _newest(counted(), limit or _TABLE_LENGTH)
    if total:
        terminal = console()
        terminal.print(dead_letter_output.table(newest, terminal.width))
        if total > len(newest):
            print(f"the newest {len(newest)} of {total}; --limit shows more")  # noqa: T201
    else:
        print("no dead letters" if wanted.is_empty else "no dead letters match")  # noqa: T201
    return 0


def show_groups(broker: KafkaBroker, wanted: Filter, *, by: str, as_json: bool) -> int:
    """How many dead letters there are of each kind."""
    counts = Counter(_kind(entry.letter, by) for entry in matching(broker, wanted, "reading"))
    if as_json:
        print(json.dumps(dict(counts.most_common())))  # noqa: T201
    else:
        console().print(dead_letter_output.groups(counts, by))
    return 0


def show(broker: KafkaBroker, beginning: str, *, as_json: bool) -> int:
    """All about the dead letter whose id begins like that."""
    matches = heapq.nsmallest(4, _letters(broker, beginning), key=lambda letter: letter.id != beginning)
    if matches and (len(matches) == 1 or matches[0].id == beginning):
        if as_json:
            print(json.dumps(dead_letter_output.as_json(matches[0])))  # noqa: T201
        else:
            console().print(dead_letter_output.details(matches[0]))
        return 0
    if matches:
        print(dead_letter_output.ambiguous(beginning, [one.id for one in matches]), file=sys.stderr)  # noqa: T201
    else:
        print(*not_found(broker, beginning), file=sys.stderr)  # noqa: T201
    return FAILED


def _letters(broker: KafkaBroker, beginning: str) -> Iterator[DeadLetter]:
    return (entry.letter for entry in matching(broker, Filter(ids=(beginning,)), "searching"))


def _newest(letters: Iterator[DeadLetter], limit: int) -> list[DeadLetter]:
    return heapq.nlargest(limit, letters, key=lambda letter: letter.time_ms)


def _kind(letter: DeadLetter, by: str) -> str:
    values = {"actor": letter.actor, "reason": letter.reason, "exception": letter.exception_type}
    return values[by] or "none"
