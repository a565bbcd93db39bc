"""Replays and discards dead letters, many at a time: produce, wait for the acks, then write the tombstones.

So a replay can repeat a job, if it is interrupted in between or runs twice at once, but never lose one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import KafkaUnreachable, NotAuthorized, TopicsMissing, WorkersError
from ..kafka import Cluster, awaited
from ..kafka.producer import DurableProducer
from ..records.envelope import Record
from .reader import Entry

#: The most dead letters whose acks are awaited together, and the most bytes of their jobs.
_BATCH, _BATCH_BYTES = 1_000, 8 * 1024 * 1024
#: How many failures are kept, to be named one by one.
_KEPT_FAILURES = 20

#: Makes the topics and the records of an entry's jobs; none if the entry only ends. It may raise
#: anything if that is impossible: the entry then stays, and the others go on.
Revive = Callable[[Entry], Sequence[tuple[str, Record]]]

#: Entries with what Kafka has yet to confirm for each.
_Sent = list[tuple[Entry, list[Any]]]


@dataclass(slots=True)
class Resolution:
    """The progress so far. ``failures`` pairs the first failed ids with their errors; they stay dead letters.

    ``away`` is an error that shows that Kafka takes no others either.
    """

    done: int = 0
    failed: int = 0
    failures: list[tuple[str, WorkersError]] = field(default_factory=list)
    away: KafkaUnreachable | None = None

    def fail(self, entry: Entry, error: WorkersError) -> None:
        self.failed += 1
        if len(self.failures) < _KEPT_FAILURES:
            self.failures.append((entry.letter.id, error))
        if isinstance(error, KafkaUnreachable) and not isinstance(error, TopicsMissing | NotAuthorized):
            self.away = error


def resolve(
    producer: DurableProducer,
    topic: str,
    entries: Iterable[Entry],
    revive: Revive,
    resolution: Resolution,
    *,
    rate_per_s: float | None = None,
    progress: Callable[[int], object] = lambda _: None,
    wait: Callable[[float], object] = time.sleep,
) -> None:
    """Revive each entry's job, then end the entry; ``resolution`` is right even if this is interrupted.

    The jobs are written in the order of ``entries``: none before those of the batch before are confirmed. An
    entry that cannot be revived, for whatever reason, stays as it is and stops no other. It ends early if
    Kafka is away. ``wait`` waits so many seconds to keep the rate; what it raises ends everything. Raises
    KafkaUnreachable only from reading ``entries``.
    """

    def job(entry: Entry) -> list[Any]:
        return [producer.send(*place) for place in revive(entry)]

    def tombstones(entry: Entry) -> list[Any]:
        # The oldest first: otherwise an older generation would count again if this ends in between.
        keys = (*reversed(entry.older), entry.record.key)
        partition = entry.record.partition
        return [producer.send(topic, Record(key, None, []), partition=partition) for key in keys]

    ending: _Sent = []

    def end() -> None:
        resolution.done += len(_confirmed(producer.cluster, ending, resolution))
        ending.clear()

    try:
        for batch in _paced(entries, rate_per_s, wait):
            jobs = _sent(batch, job, resolution)
            # Kafka confirms the tombstones of the batch before while it takes these jobs.
            end()
            ending += _sent(_confirmed(producer.cluster, jobs, resolution), tombstones, resolution)
            if rate_per_s is not None:  # the next batch comes after a wait
                end()
            progress(len(batch))
            if resolution.away is not None:
                return
    finally:
        end()


def _sent(entries: Iterable[Entry], send: Callable[[Entry], list[Any]], resolution: Resolution) -> _Sent:
    """Send for each entry, and return what is to be awaited. Blocks only as the producer does."""
    sent: _Sent = []
    for entry in entries:
        try:
            sent.append((entry, send(entry)))
        except Exception as exc:  # noqa: BLE001 - the application's encoder and middleware may raise anything
            resolution.fail(entry, _ours(exc))
    return sent


def _confirmed(cluster: Cluster, sent: _Sent, resolution: Resolution) -> list[Entry]:
    """Wait for all that was sent; return the entries for which Kafka has confirmed everything."""
    confirmed = []
    for entry, futures in sent:
        try:
            for future in futures:
                awaited(future, cluster, f"write for dead letter {entry.letter.id}")
        except WorkersError as exc:
            resolution.fail(entry, exc)
        else:
            confirmed.append(entry)
    return confirmed


def _ours(error: Exception) -> WorkersError:
    return error if isinstance(error, WorkersError) else WorkersError(f"{type(error).__name__}: {error}")


def _paced(
    entries: Iterable[Entry], rate_per_s: float | None, wait: Callable[[float], object]
) -> Iterator[list[Entry]]:
    """Batches, so that no more than ``rate_per_s`` entries come in a second."""
    most = _BATCH if rate_per_s is None else max(1, min(_BATCH, int(rate_per_s / 4)))
    due = time.monotonic()
    for batch in _batches(entries, most):
        if rate_per_s is not None:
            wait(max(0.0, due - time.monotonic()))
            due = max(due, time.monotonic()) + len(batch) / rate_per_s
        yield batch


def _batches(entries: Iterable[Entry], most: int) -> Iterator[list[Entry]]:
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        batch.append(entry)
        size += len(entry.record.value or b"")
        if len(batch) >= most or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
