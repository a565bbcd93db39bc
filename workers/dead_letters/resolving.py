"""Replays and discards dead letters, many at a time: produce, wait for the acks, then write the tombstones.

So a replay can repeat a job, if it is interrupted in between or runs twice at once, but never lose one.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import KafkaUnreachable, LogUnreadable, NotAuthorized, TopicsMissing, WorkersError
from ..kafka import Cluster, awaited
from ..kafka.producing.producer import DurableProducer
from ..records.envelope import Record
from ..runtime.interrupts import was_interrupted
from .reader import Entry

#: The most dead letters whose acks are awaited together, and the most bytes of their jobs.
_BATCH, _BATCH_BYTES = 1_000, 8 * 1024 * 1024
#: The most in the first batch, each later one may have twice as many. The next jobs are not sent before the
#: first batch is ended: where Kafka takes no tombstones, only these few jobs run twice.
_FIRST_BATCH = 10
#: How many failures are kept, to be named one by one.
_KEPT_FAILURES = 20

#: Makes the topics and the records of an entry's jobs; none if the entry only ends. It may raise
#: anything if that is impossible: the entry then stays, and the others go on.
Revive = Callable[[Entry], Sequence[tuple[str, Record]]]

#: Entries with what Kafka has yet to confirm for each; one leaves when it is judged.
_Sent = deque[tuple[Entry, list[Any]]]


@dataclass(slots=True)
class Resolution:
    """The progress so far. ``failures`` pairs the first failed ids with their errors; they stay dead letters.

    ``away`` is an error that shows that Kafka takes no others either: it is away, or refuses tombstones.
    """

    done: int = 0
    failed: int = 0
    failures: list[tuple[str, WorkersError]] = field(default_factory=list)
    last_error: WorkersError | None = None
    away: WorkersError | None = None

    @property
    def can_go_on(self) -> bool:
        """Whether nothing has to be mended before the rest is done: Kafka was only away."""
        return self.away is None or _is_away(self.away)

    def fail(self, entry: Entry, error: WorkersError) -> None:
        self.failed += 1
        self.last_error = error
        if len(self.failures) < _KEPT_FAILURES:
            self.failures.append((entry.letter.id, error))
        if _is_away(error):
            self.away = error


def _is_away(error: WorkersError) -> bool:
    answers = isinstance(error, TopicsMissing | NotAuthorized | LogUnreadable)
    return isinstance(error, KafkaUnreachable) and not answers


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
    Kafka is away, or if it takes no tombstone of a batch: each job more would be one to run twice. ``wait``
    waits so many seconds to keep the rate; what it raises ends everything. Raises KafkaUnreachable only from
    reading ``entries``.
    """

    def job(entry: Entry) -> list[Any]:
        return [producer.send(*place) for place in revive(entry)]

    def tombstones(entry: Entry) -> list[Any]:
        # The oldest first: otherwise an older generation would count again if this ends in between.
        keys = (*reversed(entry.older), entry.record.key)
        partition = entry.record.partition
        return [producer.send(topic, Record(key, None, []), partition=partition) for key in keys]

    ending: _Sent = deque()
    is_first = True

    def end() -> None:
        count, before = len(ending), resolution.done
        for _ in _confirmed(producer.cluster, ending, resolution):
            resolution.done += 1
        if count and resolution.done == before:
            resolution.away = resolution.away or resolution.last_error

    try:
        for batch in _paced(entries, rate_per_s, wait):
            jobs: _Sent = deque()
            _send(batch, job, jobs, resolution)
            # Kafka confirms the tombstones of the batch before while it takes these jobs.
            end()
            _send(_confirmed(producer.cluster, jobs, resolution), tombstones, ending, resolution)
            if is_first or rate_per_s is not None:  # with a rate, the next batch comes after a wait
                is_first = False
                end()
            progress(len(batch))
            if resolution.away is not None:
                break
        end()
    finally:
        end()  # what an interrupt has left


def _send(
    entries: Iterable[Entry], send: Callable[[Entry], list[Any]], sent: _Sent, resolution: Resolution
) -> None:
    """Send for each entry, and add what is to be awaited to ``sent``."""
    for entry in entries:
        try:
            sent.append((entry, send(entry)))
        except Exception as exc:  # the application's encoder and middleware may raise anything
            if was_interrupted(exc):  # within a wait of the producer
                raise KeyboardInterrupt from exc
            resolution.fail(entry, _ours(exc))


def _confirmed(cluster: Cluster, sent: _Sent, resolution: Resolution) -> Iterator[Entry]:
    """Wait for all that was sent; the entries for which Kafka has confirmed everything.

    If this is interrupted, those that are not judged yet are still in ``sent``.
    """
    while sent:
        entry, futures = sent[0]
        try:
            for future in futures:
                awaited(future, cluster, f"write for dead letter {entry.letter.id}")
        except WorkersError as exc:
            sent.popleft()
            resolution.fail(entry, exc)
        else:
            sent.popleft()
            yield entry


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
    size, at_once = 0, min(most, _FIRST_BATCH)
    for entry in entries:
        batch.append(entry)
        size += len(entry.record.value or b"")
        if len(batch) >= at_once or size >= _BATCH_BYTES:
            yield batch
            batch, size, at_once = [], 0, min(most, 2 * at_once)
    if batch:
        yield batch
