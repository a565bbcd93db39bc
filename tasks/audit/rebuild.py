"""Adds the rows that the audit trail lacks, from the event log: after a database was lost or restored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from workers.errors import Undecodable
from workers.records.consumed import ConsumedRecord
from workers.records.sources import Incoming

from ..events.cloud_events import MAX_AHEAD, event_of
from ..events.models import AnyEvent, InvalidEvent, read_any_event
from .trail import AuditStore, Recording

#: Rows that are added in one transaction.
_BATCH_SIZE = 500


@dataclass(slots=True)
class Rebuilt:
    """The result of a rebuild. ``problems`` counts the records of the event log that have no row.

    ``archived`` counts those whose row is archived.
    """

    records: int = 0
    outcomes: Counter[Recording] = field(default_factory=Counter)
    problems: int = 0
    archived: int = 0


def rebuild(
    store: AuditStore,
    records: Iterable[ConsumedRecord],
    *,
    now: Callable[[], datetime],
    max_ahead: timedelta = MAX_AHEAD,
    tell: Callable[[str], object],
    is_archived: Callable[[str, int], bool] = lambda _event_id, _written_ms: False,
    progress: Callable[[int], object] = lambda _: None,
) -> Rebuilt:
    """Record the event of each of ``records``; rows that are there already stay as they are.

    For each record that gets no row, ``tell`` is called at once with its place and the reason: there may be
    any number. ``max_ahead`` must be the one that the workers use, else rows differ. ``is_archived`` is asked
    with the id of an event and when the log got it, see `ArchivedEvents.has`. ``progress`` is called
    with the number of records since its last call.

    Raises:
        DatabaseError: the database refused a batch; rows added before stay, and it can be run again.
    """
    rebuilt = Rebuilt()

    def without_row(text: str) -> None:
        rebuilt.problems += 1
        tell(text)

    places = iter(_decoded(records, max_ahead, rebuilt, without_row, is_archived))
    while batch := list(islice(places, _BATCH_SIZE)):
        outcomes = store.record_all([event for event, _ in batch], recorded_at=now())
        rebuilt.outcomes.update(outcomes)
        for (event, place), outcome in zip(batch, outcomes, strict=True):
            if outcome is Recording.DIFFERS:
                without_row(f"{place}: the row of event {event.event_id} says something else")
        progress(len(batch))
    return rebuilt


def _decoded(
    records: Iterable[ConsumedRecord],
    max_ahead: timedelta,
    rebuilt: Rebuilt,
    without_row: Callable[[str], None],
    is_archived: Callable[[str, int], bool],
) -> Iterator[tuple[AnyEvent, str]]:
    for record in records:
        rebuilt.records += 1
        place = f"{record.topic}/{record.partition}/{record.offset}"
        where = (record.partition, record.offset)
        incoming = Incoming(record.key, record.value, record.headers, record.timestamp, *where)
        if record.unreadable is not None:
            without_row(f"{place}: {record.unreadable}")
            continue
        try:
            event = read_any_event(event_of(incoming, max_ahead=max_ahead)).event
        except (Undecodable, InvalidEvent) as exc:
            without_row(f"{place}: {exc}")
            continue
        if is_archived(str(event.event_id), record.timestamp):
            rebuilt.archived += 1
        else:
            yield event, place
