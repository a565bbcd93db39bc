"""The report of one worker process, as a record of the fleet topic. Pure: no I/O, no clock."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from ..records.consumed import ConsumedRecord
from ..records.envelope import Record
from ..records.numbers import time_ms, whole

if TYPE_CHECKING:
    from pydantic import TypeAdapter

#: How often a process reports.
REPORT_S = 5.0
#: A process that has not reported for so long was killed, or stands still.
STALE_S = 20.0
#: The most jobs that a report names.
MAX_JOBS = 100


@dataclass(frozen=True, slots=True)
class JobAtWork:
    """A job that a process has in hand: it runs since ``since_ms``, or waits for a thread if that is None."""

    id: str
    actor: str
    queue: str
    place: str
    since_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Process:
    """A worker process; ``name`` is the one that its commits have too.

    ``applied``: it has applied all records of the control topic below this offset; None if it has read none.
    ``reported_ms`` is by the clock of the cluster.
    """

    name: str
    worker: str
    version: str
    started_ms: int
    queues: Sequence[str] = ()
    threads: int = 0
    applied: int | None = None
    jobs: Sequence[JobAtWork] = ()
    running: int = 0
    in_hand: int = 0
    switched: Mapping[str, int] = field(default_factory=dict)
    reported_ms: int = 0

    def has_applied(self, offset: int) -> bool:
        """Whether it has applied the record of the control topic with that offset."""
        return self.applied is not None and self.applied > offset

    def is_silent(self, now_ms: float) -> bool:
        """Whether it has not reported for so long that it must be dead, or stands still."""
        return now_ms - self.reported_ms > STALE_S * 1000


def encode(process: Process) -> Record:
    """Make the record of a report."""
    value = asdict(process)
    for name in ("name", "reported_ms"):  # they are in the key, and in the record's time
        del value[name]
    return Record(process.name.encode(), json.dumps(value).encode(), [])


def farewell(name: str) -> Record:
    """Make the tombstone of a process that ends."""
    return Record(name.encode(), None, [])


def decode(record: ConsumedRecord) -> Process:
    """Read a report, of whichever version. Raises ValueError for a record that is none."""
    try:
        found = json.loads(record.value or b"", parse_int=whole)
        found |= {"name": (record.key or b"").decode(), "reported_ms": record.timestamp}
        process = _adapter().validate_python(found)
        for ms in (process.started_ms, *(job.since_ms for job in process.jobs if job.since_ms is not None)):
            time_ms(ms)  # it may have been digits in a text
    except (TypeError, RecursionError) as exc:
        raise ValueError(f"no report of a process: {exc}") from exc
    return process


@cache
def _adapter() -> TypeAdapter[Process]:
    from pydantic import TypeAdapter  # noqa: PLC0415 - long to load, and a worker only writes reports

    return TypeAdapter(Process)


class Fleet:
    """The processes that have reported and have not said that they end. For one thread."""

    def __init__(self) -> None:
        self._processes: dict[str, Process] = {}

    def take_in(self, records: Iterable[ConsumedRecord]) -> None:
        """Take in records of the fleet topic, in their order; those that are no reports are left out."""
        for record in records:
            name = (record.key or b"").decode(errors="replace")
            if record.unreadable is not None:
                continue
            if record.value is None:
                self._processes.pop(name, None)
                continue
            try:
                self._processes[name] = decode(record)
            except ValueError:
                continue

    def living(self, now_ms: float) -> list[Process]:
        """Those that have reported lately, by their workers' names."""
        return [one for one in self._sorted() if not one.is_silent(now_ms)]

    def silent(self, now_ms: float) -> list[Process]:
        """Those that have ended without a word, or stand still."""
        return [one for one in self._sorted() if one.is_silent(now_ms)]

    def _sorted(self) -> list[Process]:
        return sorted(self._processes.values(), key=lambda one: (str(one.worker), one.name))
