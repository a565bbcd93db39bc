"""The follower: reads the newest records of the log on a thread of its own, for all clients of a process.

It reads by `assign`, without a group and without commits, from the end that each partition has when it
starts. It goes on for ever: while Kafka is away it tries again, and a topic that was made anew begins a new
epoch.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from workers.errors import WorkersError
from workers.kafka import (
    Cluster,
    KafkaConsumer,
    TopicPartition,
    connect_consumer,
    kafka_errors,
    read_up_to,
)
from workers.records.consumed import ConsumedRecord

from .cursor import Cursor
from .layout import Layout, layout_of
from .ring import Entry
from .sought import Sought
from .views import Views

logger = logging.getLogger(__name__)

#: How long one poll waits for records; also how long stopping may take.
_POLL_MS = 500
#: How often it is looked at whether the topics are the same; Kafka is asked whether it is there if no record
#: came since the last time: an answer takes long enough to delay the records that come meanwhile. So a broker
#: that hangs is not noticed while others send records. What it leads comes once Kafka has elected another
#: leader, or the broker goes on: nothing is lost, but clients are not told that they wait for it.
PROBE_S = 2.0
_PROBE_TIMEOUT_MS = 3_000
#: How much is handed over at once: a client that keeps up must be able to take it before more comes.
_PORTION_ENTRIES = 100
_PORTION_BYTES = 64 * 1024
#: The pause between two tries to reach Kafka.
_RETRY_S = 1.0
#: The pause after records while nobody is connected: to fetch single records costs more than to read them.
_UNWATCHED_S = 0.05


@dataclass(slots=True)
class Portion:
    """Some of what was read: events that users may see, and how far that reaches."""

    entries: list[Entry] = field(default_factory=list)
    offsets: tuple[int, ...] = ()
    #: How many events, or records that hold none, were faulty.
    skipped: int = 0
    _bytes: int = 0

    @property
    def is_full(self) -> bool:
        """Whether the next entries belong into another portion."""
        return len(self.entries) >= _PORTION_ENTRIES or self._bytes >= _PORTION_BYTES

    def add(self, entry: Entry) -> None:
        """Add an entry."""
        self.entries.append(entry)
        self._bytes += len(entry.body)

    def up_to(self, offsets: Sequence[int]) -> Portion:
        """Note how far it reaches."""
        self.offsets = tuple(offsets)
        return self


class Listener(Protocol):
    """Is told what the follower finds; called on the follower's thread, so it hands things over."""

    @property
    def is_watched(self) -> bool:
        """Whether somebody waits for events."""

    def begin(self, epoch: bytes, offsets: Sequence[int]) -> None:
        """Hear from which offsets on the topics are followed; again, if they were made anew."""

    def advance(self, portion: Portion) -> None:
        """Hear what was read."""

    def stale(self, since: float | None) -> None:
        """Hear since when the log is not followed, in seconds since 1970; None: it is."""


class Reading:
    """How far the log was read, and what was seen on the way. Pure."""

    def __init__(
        self, layout: Layout, offsets: Sequence[int], views: Views, sought: Sought | None = None
    ) -> None:
        """``sought``: make only entries that may concern one of these users; None: all."""
        self.layout = layout
        self._sought = sought
        self.offsets = list(offsets)
        self._views = views
        self._places = {partition: index for index, partition in enumerate(layout.partitions)}
        #: How often each kind of fault was found: the first of each is logged.
        self._faults: Counter[str] = Counter()

    def read(self, records: Sequence[ConsumedRecord]) -> Iterator[Portion]:
        """Make the entries of records that users may see, in portions that are sent one after the other."""
        portion = Portion()
        for record in records:
            place = self._places[TopicPartition(record.topic, record.partition)]
            if self._sought is not None and not self._views.may_concern(record, self._sought):
                self.offsets[place] = record.offset + 1
                continue
            self.offsets[place] = record.offset
            before = self._cursor()
            self.offsets[place] += 1
            seen = self._views.seen(record, place, before, self._cursor())
            for entry in seen.entries:
                portion.add(entry)
            for fault in seen.faults:
                portion.skipped += 1
                self._log(record, fault)
            if portion.is_full:
                yield portion.up_to(self.offsets)
                portion = Portion()
        yield portion.up_to(self.offsets)

    def reached(self, offsets: Mapping[TopicPartition, int]) -> bool:
        """Note how far the client has read, which may be past what is no record; returns whether it moved."""
        moved = False
        for partition, offset in offsets.items():
            place = self._places[partition]
            if offset > self.offsets[place]:
                self.offsets[place] = offset
                moved = True
        return moved

    def _cursor(self) -> str:
        if self._sought is not None:  # what clients missed comes with the cursor of the bridge alone
            return ""
        return Cursor(self.layout.epoch, tuple(self.offsets)).pack()

    def _log(self, record: ConsumedRecord, exc: Exception) -> None:
        kind = f"{record.topic} {type(exc).__name__}"
        self._faults[kind] += 1
        if self._faults[kind] == 1:
            place = (record.topic, record.partition, record.offset)
            logger.warning(
                "live.skipped topic=%s partition=%d offset=%d, more like it are only counted: %s: %s",
                *place,
                type(exc).__name__,
                exc,
            )


class Follower:
    """Follows topics and tells a listener. :meth:`start` and :meth:`stop` are for one thread."""

    def __init__(
        self,
        cluster: Cluster,
        topics: Sequence[str],
        views: Views,
        listener: Listener,
        prepare: Callable[[], object] = lambda: None,
    ) -> None:
        """``prepare`` creates the topics if they do not exist; it raises WorkersError if it cannot now."""
        self._prepare = prepare
        self._cluster = cluster
        self._topics = tuple(topics)
        self._doing = f"follow topic {', '.join(topics)}"
        self._views = views
        self._listener = listener
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="live-follower", daemon=True)
        self._reading: Reading | None = None
        self._is_stale = True
        #: When Kafka was last seen to be there, in seconds since 1970.
        self._seen_at = time.time()

    def start(self) -> None:
        """Begin; returns at once."""
        self._listener.stale(self._seen_at)
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for the thread: a second at most, some more if Kafka is away."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            consumer = None
            try:
                self._prepare()
                consumer = connect_consumer(self._cluster, None, auto_offset_reset="none")
                with kafka_errors(self._cluster, self._doing):
                    self._follow(consumer)
            except WorkersError as exc:
                self._lost(exc)
            except Exception as exc:  # whatever a library does, the log is followed again
                logger.exception("live.follower_failed, trying again")
                self._lost(exc)
            finally:
                if consumer is not None:
                    _close(consumer)
            self._stopping.wait(_RETRY_S)

    def _follow(self, consumer: KafkaConsumer) -> None:
        """Read until stopped, or until the topics are others. Raises kafka-python's errors."""
        layout = layout_of(consumer, self._topics)
        if layout is None:
            raise WorkersError(f"not all of the topics {', '.join(self._topics)} exist")
        reading = self._begin(consumer, layout)
        self._found()
        answered_at = probed_at = time.monotonic()
        while not self._stopping.is_set():
            fetched = consumer.poll(timeout_ms=_POLL_MS)
            self._hand_over(consumer, reading, [record for some in fetched.values() for record in some])
            if fetched:
                self._found()
                answered_at = time.monotonic()
                if not self._listener.is_watched:
                    self._stopping.wait(_UNWATCHED_S)
            if time.monotonic() - probed_at >= PROBE_S:
                if answered_at <= probed_at:
                    consumer.end_offsets(layout.partitions[:1], timeout_ms=_PROBE_TIMEOUT_MS)
                    self._found()
                probed_at = time.monotonic()
                if layout_of(consumer, self._topics) != layout:
                    logger.warning("live.topics_changed topics=%s: clients load anew", ",".join(self._topics))
                    return

    def _begin(self, consumer: KafkaConsumer, layout: Layout) -> Reading:
        """Go on where the last connection ended, else begin at the end."""
        consumer.assign(layout.partitions)
        begins = consumer.beginning_offsets(layout.partitions)
        ends = consumer.end_offsets(layout.partitions)
        reading = self._reading
        goes_on = (
            reading is not None
            and reading.layout == layout
            and all(
                begins[partition] <= offset <= ends[partition]
                for partition, offset in zip(layout.partitions, reading.offsets, strict=True)
            )
        )
        if reading is None or not goes_on:
            self._reading = reading = Reading(layout, [ends[one] for one in layout.partitions], self._views)
            self._listener.begin(layout.epoch, tuple(reading.offsets))
        for partition, offset in zip(layout.partitions, reading.offsets, strict=True):
            consumer.seek(partition, offset)
        return reading

    def _hand_over(
        self, consumer: KafkaConsumer, reading: Reading, records: Sequence[ConsumedRecord]
    ) -> None:
        for portion in reading.read(records) if records else ():
            self._listener.advance(portion)
        if reading.reached({one: read.offset for one, read in read_up_to(consumer).items()}):
            self._listener.advance(Portion().up_to(reading.offsets))

    def _lost(self, exc: Exception) -> None:
        if not self._is_stale:
            logger.warning("live.not_following topics=%s: %s", ",".join(self._topics), exc)
        self._is_stale = True
        self._listener.stale(self._seen_at)

    def _found(self) -> None:
        self._seen_at = time.time()
        if self._is_stale:
            self._is_stale = False
            logger.info("live.following topics=%s", ",".join(self._topics))
            self._listener.stale(None)


def _close(consumer: KafkaConsumer) -> None:
    """Close a consumer; whatever a library does, the log is followed again."""
    try:
        consumer.close()
    except Exception:
        logger.exception("live.consumer_not_closed")
