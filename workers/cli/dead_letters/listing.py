"""`todo-workers dead-letters list` and `show`; each function returns the exit status."""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Iterator

from ...broker.kafka_broker import KafkaBroker
from ...dead_letters.filter import Filter
from ...dead_letters.letter import DeadLetter
from ...dead_letters.selection import Search, ambiguous
from ...display.progress import progress
from ..terminal import complain, console
from . import tables

FAILED = 1
#: How many dead letters a table shows by default.
_TABLE_LENGTH = 50


def show_list(broker: KafkaBroker, wanted: Filter, *, limit: int | None, as_json: bool) -> int:
    """Print the newest dead letters; as JSON without a limit all of them, in the order of the log."""
    found = (entry.letter for entry in _search(broker).matching(wanted))
    if as_json:
        for letter in found if limit is None else _newest(found, limit):
            print(json.dumps(tables.as_json(letter)))
        return 0
    total = 0

    def counted() -> Iterator[DeadLetter]:
        nonlocal total
        for total, letter in enumerate(found, 1):  # noqa: B007
            yield letter

    newest = _newest(counted(), limit or _TABLE_LENGTH)
    if total:
        terminal = console()
        terminal.print(tables.table(newest, terminal.width))
        if total > len(newest):
            print(f"the newest {len(newest)} of {total}; --limit shows more")
    else:
        print("no dead letters" if wanted.is_empty else "no dead letters match")
    return 0


def show_groups(broker: KafkaBroker, wanted: Filter, *, by: str, as_json: bool) -> int:
    """Print how many dead letters there are of each kind."""
    counts = Counter(_kind(entry.letter, by) for entry in _search(broker).matching(wanted))
    if as_json:
        print(json.dumps(dict(counts.most_common())))
    else:
        console().print(tables.groups(counts, by))
    return 0


def show(broker: KafkaBroker, beginning: str, *, as_json: bool) -> int:
    """Print everything about the dead letter whose id begins like that."""
    search = _search(broker)
    found = search.similar(beginning)
    if len(found) == 1:
        if as_json:
            print(json.dumps(tables.as_json(found[0])))
        else:
            console().print(tables.details(found[0]))
        return 0
    if found:
        complain(ambiguous(beginning, [letter.id for letter in found]))
    else:
        complain(*search.not_found(beginning))
    return FAILED


def _search(broker: KafkaBroker) -> Search:
    return Search(broker.producer, broker.topics.dead_letters, progress)


def _newest(letters: Iterator[DeadLetter], limit: int) -> list[DeadLetter]:
    return heapq.nlargest(limit, letters, key=lambda letter: letter.time_ms)


def _kind(letter: DeadLetter, by: str) -> str:
    values = {"actor": letter.actor, "reason": letter.reason, "exception": letter.exception_type}
    return values[by] or "none"
