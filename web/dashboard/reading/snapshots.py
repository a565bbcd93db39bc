"""The state of all queues, read once a second for all viewers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from workers.broker.kafka_broker import KafkaBroker
from workers.controls.controls import Confirmation
from workers.controls.decision import Pause, Switch
from workers.controls.state import State
from workers.controls.watch import Watch
from workers.fleet.process import Process
from workers.operations.queue_status import DelayedStatus, PartitionStatus, QueueStatus, StatusReader
from workers.stats.history import History
from workers.stats.history import history as empty_history
from workers.stats.reader import StatsReader

from .on_demand import OnDemand, Problem

#: The pause between two reads at least; a read that takes longer is followed by as long a pause.
_EVERY_S = 0.7
_DELAYED_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was read at one time; ``at`` is in seconds since 1970."""

    at: float
    queues: Sequence[QueueStatus]
    delayed: DelayedStatus
    partitions: Mapping[str, Sequence[PartitionStatus]]
    #: The worker processes that run, and those that are silent by the clock of the cluster.
    running: Sequence[Process] = ()
    silent: Sequence[Process] = ()
    #: What is decided, and the end of the control topic.
    state: State = field(default_factory=State)
    end: int = 0
    #: What the fleet did.
    history: History = field(default_factory=lambda: empty_history([], 0.0))

    @property
    def pauses(self) -> Mapping[str, Pause]:
        """The queues that are paused."""
        return self.state.paused(self.at * 1000)

    @property
    def switches(self) -> Sequence[Switch]:
        return list(self.state.switches.values())

    @property
    def fleet(self) -> Sequence[Process]:
        """All worker processes that are known."""
        return [*self.running, *self.silent]

    @property
    def confirmed(self) -> Confirmation:
        """How many of the workers have applied all that is decided."""
        missing, silent = (
            tuple(one.worker for one in some if not one.has_applied(self.end - 1))
            for some in (self.running, self.silent)
        )
        return Confirmation(len(self.running) - len(missing), len(self.running), missing, silent)

    def changes(self, other: Snapshot | None) -> bool:
        """Whether a viewer of ``other`` sees something else here; ages count by themselves in the browser."""
        return other is None or _without_ages(self) != _without_ages(other)


class Snapshots:
    """Reads snapshots while somebody looks. For any thread."""

    def __init__(self, broker: KafkaBroker) -> None:
        self._broker = broker
        self._reading = OnDemand("dashboard.status", self._read)
        self.latest: Snapshot | None = None
        #: All that is in the latest one was read since then, in seconds since 1970.
        self.read_at = 0.0
        self._is_current = False
        #: Grows with each change that a viewer would see.
        self.version = 0

    @property
    def problem(self) -> Problem | None:
        return self._reading.problem

    @property
    def is_reading(self) -> bool:
        return self._reading.is_running

    def want(self) -> None:
        """Keep reading for a while."""
        self._reading.want()

    def wait_for_first(self, timeout_s: float) -> None:
        """Block until there is a snapshot or a problem, at most so long.

        One of the last time that somebody looked does not count.
        """
        self._reading.wait_for(lambda: self._is_current, timeout_s)

    def take(self, snapshot: Snapshot, read_at: float) -> None:
        """Make a snapshot the latest one."""
        if snapshot.changes(self.latest):
            self.version += 1
        self.latest, self.read_at = snapshot, read_at
        self._is_current = True

    def close(self) -> None:
        self._reading.close()

    @contextmanager
    def _read(self) -> Iterator[_Step]:
        broker = self._broker
        status = StatusReader(broker.cluster, broker.topics, broker.delay_tiers, broker.topics_of)
        stats = StatsReader(broker.cluster, broker.topics.stats)
        with status as reader, broker.controls.watch() as watch, stats:
            try:
                yield _Step(self, reader, broker, watch, stats)
            finally:
                self._is_current = False


class _Step:
    """Reads one snapshot; returns the pause before the next."""

    def __init__(
        self,
        snapshots: Snapshots,
        reader: StatusReader,
        broker: KafkaBroker,
        watch: Watch,
        stats: StatsReader,
    ) -> None:
        self._snapshots = snapshots
        self._reader = reader
        self._broker = broker
        self._watch = watch
        self._stats = stats
        self._history = empty_history([], 0.0)
        self._delayed: DelayedStatus | None = None
        self._delayed_at = 0.0
        self._all_read_at = 0.0

    def __call__(self) -> float:
        started, now = time.monotonic(), time.time()
        is_first = self._delayed is None
        read = self._reader.read_with_partitions(sorted(self._broker.queues))
        # There are many delay topics, and what waits in them changes slowly.
        if self._delayed is None or started - self._delayed_at >= _DELAYED_EVERY_S:
            self._delayed, self._delayed_at = self._reader.read_delayed(), started
            self._history = self._stats.read()
            self._all_read_at = now
        queues = [status for status, _ in read]
        partitions = {status.queue: found for status, found in read}
        # Waits for what is decided or reported until the next read; a page waits for the first one.
        self._watch.follow(0.0 if is_first else max(_EVERY_S, time.monotonic() - started))
        fleet = (self._watch.processes(), self._watch.silent())
        controls = (*fleet, self._watch.state, self._watch.end, self._history)
        snapshot = Snapshot(time.time(), queues, self._delayed, partitions, *controls)
        self._snapshots.take(snapshot, self._all_read_at)
        return 0.0


def _without_ages(snapshot: Snapshot) -> Snapshot:
    queues = [
        replace(queue, oldest=queue.oldest and replace(queue.oldest, age_s=0.0)) for queue in snapshot.queues
    ]
    running, silent = (
        [replace(one, reported_ms=0) for one in some] for some in (snapshot.running, snapshot.silent)
    )
    history = replace(snapshot.history, now_s=0.0)
    return replace(snapshot, at=0.0, queues=queues, running=running, silent=silent, history=history)
