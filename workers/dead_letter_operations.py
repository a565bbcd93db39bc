"""Replays and discards dead letters, many at a time: produce, wait for the acks, then write the tombstones.

So a replay can repeat a job, where it is interrupted in between or runs twice at once, and never lose one.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .client import Cluster, awaited
from .dead_letter_reader import Entry
from .envelope import Record
from .errors import WorkersError
from .producer import DurableProducer

#: Dead letters whose acks are awaited together.
_BATCH = 200

#: What becomes of an entry: the topic and the record of its job; None: nothing but its end.
Revive = Callable[[Entry], tuple[str, Record] | None]


@dataclass(slots=True)
class Outcome:
    """How far it came. ``failures`` pairs ids with what went wrong; those stay dead letters."""

    done: int = 0
    failures: list[tuple[str, WorkersError]] = field(default_factory=list)


def resolve(
    producer: DurableProducer,
    topic: str,
    entries: Iterable[Entry],
    revive: Revive,
    outcome: Outcome,
    *,
    rate_per_s: float | None = None,
    progress: Callable[[int], object] = lambda _: None,
) -> None:
    """Revive each entry's job, then end the entry; ``outcome`` is right also where this is interrupted.

    Raises KafkaUnreachable only from reading ``entries``.
    """
    for batch in _paced(entries, rate_per_s):
        jobs = [(entry, _begin(producer, revive(entry), entry, outcome)) for entry in batch]
        revived = [entry for entry, future in jobs if _ended(producer.cluster, entry, future, outcome)]
        tombstones = [
            (entry, _begin(producer, (topic, Record(entry.record.key, None, [])), entry, outcome))
            for entry in revived
        ]
        outcome.done += sum(_ended(producer.cluster, entry, future, outcome) for entry, future in tombstones)
        progress(len(batch))


def _begin(
    producer: DurableProducer, place: tuple[str, Record] | None, entry: Entry, outcome: Outcome
) -> Any:
    """Hand a record to the client: a future; True where there is none to write, False where that failed."""
    if place is None:
        return True
    try:
        return producer.send(*place)
    except WorkersError as exc:
        outcome.failures.append((entry.letter.id, exc))
        return False


def _ended(cluster: Cluster, entry: Entry, future: Any, outcome: Outcome) -> bool:
    if isinstance(future, bool):
        return future
    try:
        awaited(future, cluster, f"write dead letter {entry.letter.id}")
    except WorkersError as exc:
        outcome.failures.append((entry.letter.id, exc))
        return False
    return True


def _paced(entries: Iterable[Entry], rate_per_s: float | None) -> Iterator[list[Entry]]:
    """Batches, so that no more than ``rate_per_s`` entries come in a second."""
    size = _BATCH if rate_per_s is None else max(1, min(_BATCH, int(rate_per_s / 4)))
    iterator = iter(entries)
    due = time.monotonic()
    while batch := list(itertools.islice(iterator, size)):
        if rate_per_s is not None:
            time.sleep(max(0.0, due - time.monotonic()))
            due = max(due, time.monotonic()) + len(batch) / rate_per_s
        yield batch
