"""The history: finds in the log what clients missed who were away for longer than the ring reaches.

One scan serves the clients that wait when it begins; the others wait for the next one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from workers.errors import WorkersError
from workers.kafka import Cluster, KafkaConsumer, connect_consumer, kafka_errors, read_only_wanted

from .follower import Reading
from .layout import Layout, layout_of
from .protocol import Resync
from .returning import Returning
from .ring import Entry
from .sought import Sought
from .views import Views

logger = logging.getLogger(__name__)

#: A scan to which no records come for so long is given up: Kafka is away.
_PATIENCE_S = 10.0
_POLL_MS = 200
#: How much a scan fetches of a partition at once: it waits meanwhile, and a scan reads much.
_FETCH_BYTES = 4 * 1024 * 1024
#: A scan begins once no client has come for so long, as each of them who comes later waits for the next one.
_SETTLED_S = 0.2
#: It begins after so long anyway.
_SETTLED_WITHIN_S = 1.0


class Found:
    """The results of a scan: who is up to date, and who has to load anew and why."""

    def __init__(self, epoch: bytes) -> None:
        self.epoch = epoch
        self.returning: list[Returning] = []
        self.refused: list[tuple[Returning, Resync]] = []

    def drop(self) -> None:
        """Refuse who misses too much, and forget who is gone."""
        self.refused += [
            (client, Resync.TOO_MUCH)
            for client in self.returning
            if client.is_too_much and not client.is_gone
        ]
        self.returning = [one for one in self.returning if not (one.is_too_much or one.is_gone)]


def scan(
    cluster: Cluster,
    topics: Sequence[str],
    views: Views,
    clients: Iterable[Returning],
    *,
    oldest_ms: int,
    is_stopping: Callable[[], bool],
) -> Found:
    """Read what the clients missed, up to the end that the log has now; blocks meanwhile.

    A client that misses an event older than ``oldest_ms``, or one that Kafka has deleted, is refused, as is
    one that misses too much; one that has left is left out. Ends when no client is left. Raises WorkersError
    if Kafka is away, and soon after ``is_stopping``.
    """
    consumer = connect_consumer(
        cluster, None, auto_offset_reset="none", max_partition_fetch_bytes=_FETCH_BYTES
    )
    try:
        with kafka_errors(cluster, f"read topic {', '.join(topics)}"):
            layout = layout_of(consumer, topics)
            if layout is None:
                raise WorkersError(f"not all of the topics {', '.join(topics)} exist")
            return _scan(consumer, layout, views, list(clients), oldest_ms=oldest_ms, is_stopping=is_stopping)
    finally:
        consumer.close()


def _scan(
    consumer: KafkaConsumer,
    layout: Layout,
    views: Views,
    clients: list[Returning],
    *,
    oldest_ms: int,
    is_stopping: Callable[[], bool],
) -> Found:
    found = Found(layout.epoch)
    ends = _in_order(layout, consumer.end_offsets(layout.partitions))
    floors = _floors(consumer, layout, ends, oldest_ms)
    for client in clients:
        if client.epoch != layout.epoch:
            found.refused.append((client, Resync.EPOCH))
        elif any(seen < floor for seen, floor in zip(client.offsets, floors, strict=True)):
            found.refused.append((client, Resync.TOO_OLD))
        else:
            found.returning.append(client)
    if found.returning:
        starts = [
            min(offsets) for offsets in zip(*(client.offsets for client in found.returning), strict=True)
        ]
        sought = Sought(client.session.user for client in found.returning)
        read_only_wanted(consumer, views.finder(sought))
        read(consumer, Reading(layout, starts, views, sought), ends, found, is_stopping)
        for client in found.returning:
            client.offsets = tuple(map(max, zip(client.offsets, ends, strict=True)))
    return found


def _floors(consumer: KafkaConsumer, layout: Layout, ends: Sequence[int], oldest_ms: int) -> list[int]:
    """The first offset of each partition that may be read: what is below is deleted, or too old."""
    begins = _in_order(layout, consumer.beginning_offsets(layout.partitions))
    young = consumer.offsets_for_times(dict.fromkeys(layout.partitions, oldest_ms))
    floors = []
    for partition, begin, end in zip(layout.partitions, begins, ends, strict=True):
        first = young.get(partition)
        floors.append(max(begin, first.offset if first is not None else end))
    return floors


def read(
    consumer: KafkaConsumer,
    reading: Reading,
    ends: Sequence[int],
    found: Found,
    is_stopping: Callable[[], bool],
) -> None:
    """Read up to ``ends`` for the returning clients of ``found``, while one is left; see :func:`scan`."""
    partitions = reading.layout.partitions
    consumer.assign(partitions)
    for partition, offset in zip(partitions, reading.offsets, strict=True):
        consumer.seek(partition, offset)
    waiting = _Waiting(found.returning)
    moved_at = time.monotonic()
    while found.returning and any(at < end for at, end in zip(reading.offsets, ends, strict=True)):
        if is_stopping():
            raise WorkersError("the bridge stops")
        fetched = consumer.poll(timeout_ms=_POLL_MS)
        for portion in reading.read([record for some in fetched.values() for record in some]):
            waiting.give(portion.entries)
        found.drop()
        has_moved = reading.reached({one: consumer.position(one) for one in partitions})
        if fetched or has_moved:
            moved_at = time.monotonic()
        elif time.monotonic() - moved_at > _PATIENCE_S:
            raise WorkersError("no records come though there are more")


class _Waiting:
    """The clients of a scan, by user."""

    def __init__(self, clients: Iterable[Returning]) -> None:
        self._by_user: dict[str, list[Returning]] = {}
        self._all: list[Returning] = []
        for client in clients:
            self._by_user.setdefault(client.session.user, []).append(client)
            self._all.append(client)

    def give(self, entries: Iterable[Entry]) -> None:
        """Add each entry to the clients that may see it and have not seen it."""
        for entry in entries:
            if entry.users is None:
                clients: Iterable[Returning] = self._all
            else:
                clients = [one for user in entry.users for one in self._by_user.get(user, ())]
            for client in clients:
                if entry.offset >= client.offsets[entry.partition]:
                    client.add((entry,))


def _in_order(layout: Layout, offsets: dict[object, int]) -> list[int]:
    return [offsets[partition] for partition in layout.partitions]


class Historian:
    """Runs scans on a thread of its own while clients wait.

    ``take`` returns the clients that wait, and ``done`` or ``failed`` gets them back. All three are called on
    this thread.
    """

    def __init__(
        self,
        run_scan: Callable[[list[Returning]], Found],
        *,
        take: Callable[[], list[Returning]],
        done: Callable[[Found], None],
        failed: Callable[[list[Returning]], None],
    ) -> None:
        self._scan = run_scan
        self._take = take
        self._done = done
        self._failed = failed
        self._wanted = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="live-history", daemon=True)

    @property
    def is_stopping(self) -> bool:
        """Whether a scan is to end at once; for any thread."""
        return self._stopping

    def start(self) -> None:
        """Begin to wait for clients; returns at once."""
        self._thread.start()

    def wake(self) -> None:
        """Look for clients that wait; does not block."""
        self._wanted.set()

    def stop(self) -> None:
        """End, also the scan that runs: it asks :attr:`is_stopping`."""
        self._stopping = True
        self._wanted.set()
        self._thread.join()

    def _settle(self) -> None:
        """Wait while more clients come, for a while."""
        until = time.monotonic() + _SETTLED_WITHIN_S
        self._wanted.clear()
        while not self._stopping and time.monotonic() < until and self._wanted.wait(_SETTLED_S):
            self._wanted.clear()

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            self._settle()
            if self._stopping:
                return
            while not self.is_stopping and (clients := self._take()):
                began_at = time.monotonic()
                try:
                    found = self._scan(clients)
                except Exception as exc:  # noqa: BLE001 - the clients come back, and then it is tried again
                    logger.warning("live.scan_failed clients=%d: %s", len(clients), exc)
                    with suppress(RuntimeError):
                        self._failed(clients)
                    continue
                logger.info("live.scanned clients=%d seconds=%.1f", len(clients), time.monotonic() - began_at)
                with suppress(RuntimeError):
                    self._done(found)
