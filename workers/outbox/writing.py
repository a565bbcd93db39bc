"""Writes the rows of an outbox to Kafka while a relay leads, and deletes those that Kafka has confirmed."""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Protocol

from ..delays.tiers import Tier, next_tier
from ..errors import KafkaUnreachable, NotAuthorized, TopicsMissing, WorkersError
from ..kafka import Cluster, undelivered
from ..kafka.producing.producer import DurableProducer
from ..records.envelope import Record
from ..records.headers import text_of
from ..records.numbers import time_ms
from ..topics import Topics
from . import statements
from .changes import Wake
from .in_hand import InHand, Row
from .leading import Lead

logger = logging.getLogger(__name__)

#: How often rows are looked for, whatever wakes the thread.
LOOK_S = 1.0
#: Until a row that Kafka did not take is written again, and until the rows of a topic that is missing are.
_AGAIN_S, _TOPIC_AGAIN_S = 1.0, 5.0
#: Log lines about failed rows, at most one in this time.
_LOG_EVERY_S = 5.0


class Target(Protocol):
    """The parts of a `KafkaBroker` that a relay uses."""

    @property
    def cluster(self) -> Cluster: ...
    @property
    def topics(self) -> Topics: ...
    @property
    def delay_tiers(self) -> Sequence[Tier]: ...

    def prepare(self) -> object:
        """Create missing topics. Raises KafkaUnreachable."""


@dataclass
class RelayCounts:
    """What a relay has done since its start."""

    #: Whether this relay works; another one does so otherwise.
    leads: bool = False
    published: int = 0
    #: Tries that Kafka did not confirm; each is repeated.
    failed: int = 0
    set_aside: int = 0


class _Answer:
    """One answer to come, as kafka-python's futures tell another one: with one lock for both ways."""

    __slots__ = ("_post", "_row_id")

    def __init__(self, post: Callable[[int, BaseException | None], None], row_id: int) -> None:
        self._post = post
        self._row_id = row_id

    def success(self, _metadata: object) -> None:
        self._post(self._row_id, None)

    def failure(self, error: BaseException) -> None:
        self._post(self._row_id, error)


class Writing:
    """The work of a relay while it leads. For its thread; only `_answered` is called by the producer's."""

    def __init__(
        self, target: Target, producer: DurableProducer, lead: Lead, wake: Wake, counts: RelayCounts
    ) -> None:
        self._target = target
        self._producer = producer
        self._lead = lead
        self._wake = wake
        self._counts = counts
        self._in_hand = InHand()
        self._answers: deque[tuple[int, BaseException | None]] = deque()
        #: Rows that Kafka has confirmed, and that are not deleted yet.
        self._written: list[int] = []
        #: Topics that can be written to, and the answers to the question whether others can.
        self._found: set[str] = set()
        self._looked_up: deque[tuple[str, str, KafkaUnreachable | None]] = deque()
        self._has_more = True
        self._look_at = 0.0
        self._pause_until = 0.0
        self._log_at = 0.0

    def run(self, stopping: threading.Event) -> None:
        """Relay until it is to stop, and then wait for the answers to what is under way."""
        self._wake.rows_may_have_come()
        while not stopping.is_set():
            self._settle()
            self._send()  # before anything else: Kafka works while the database does
            if self._read():
                self._send()
            self._delete()
            self._wait()
        deadline = time.monotonic() + self._target.cluster.send_timeout_s
        while self._in_hand.under_way and time.monotonic() < deadline:
            self._wake.wait(LOOK_S)
            self._settle()
            self._delete()

    def _wait(self) -> None:
        """Wait until there is something to do."""
        if self._answers or (self._has_more and self._in_hand.room):
            return
        now = time.monotonic()
        due_in = self._in_hand.due_in(now)
        until = self._look_at if due_in is None else min(max(now + due_in, self._pause_until), self._look_at)
        while (left_s := until - time.monotonic()) > 0:
            if self._wake.wait(min(left_s, self._lead.poll_s or left_s)):
                return
            if self._lead.has_changed():
                self._wake.rows_may_have_come()

    def _settle(self) -> None:
        """Note the rows that Kafka has confirmed, and decide about those that it has not."""
        while self._looked_up:
            self._note_topic(*self._looked_up.popleft())
        while self._answers:
            row_id, error = self._answers.popleft()
            if error is None:
                self._in_hand.written(row_id)
                self._written.append(row_id)
            else:
                self._failed(row_id, undelivered(error, self._target.cluster, "write a row of the outbox"))

    def _delete(self) -> None:
        """Delete the rows that Kafka has confirmed."""
        if self._written:
            self._lead.write(partial(statements.delete_rows, ids=self._written))
            self._counts.published += len(self._written)
            self._in_hand.forget(self._written)
            self._written = []

    def _read(self) -> bool:
        """Read rows if there may be some, and room for them; whether there were."""
        now = time.monotonic()
        if self._wake.take_rows() or now >= self._look_at:
            self._has_more = True
            self._look_at = now + LOOK_S
        room = self._in_hand.room
        if not (self._has_more and room):
            return False
        rows = self._lead.read(
            partial(
                statements.read_rows,
                but=self._in_hand.ids,
                but_topics=self._in_hand.held_topics(now),
                limit=room,
                max_bytes=self._in_hand.free_bytes,
            )
        )
        self._has_more = bool(rows)
        self._in_hand.add(rows)
        return self._has_more

    def _send(self) -> None:
        now = time.monotonic()
        while now >= self._pause_until and (row := self._in_hand.take(now)) is not None:
            try:
                topic, record = _record(row, self._target)
            except Exception as exc:  # noqa: BLE001 - whatever somebody has put into the table
                self._failed(row.id, exc)
                continue
            try:
                if topic not in self._found:
                    self._look_up(row, topic)
                    continue
                future = self._producer.send(topic, record)
            except (WorkersError, ValueError, TypeError) as exc:
                self._failed(row.id, exc)
                if isinstance(exc, KafkaUnreachable) and not isinstance(exc, TopicsMissing | NotAuthorized):
                    self._pause_until = now + _AGAIN_S
                continue
            future.chain(_Answer(self._answered, row.id))

    def _look_up(self, row: Row, topic: str) -> None:
        """Ask for a topic on a thread, as that takes seconds for one that is missing; its rows wait."""
        self._in_hand.hold(row.id, math.inf)

        def look_up() -> None:
            error: KafkaUnreachable | None = None
            try:
                self._producer.prepare(topic)
            except KafkaUnreachable as exc:
                error = exc
            except Exception as exc:  # noqa: BLE001 - it comes again for each row of the topic, which is set aside
                logger.info("outbox.topic_refused topic=%s: %s", topic, exc)
            self._looked_up.append((row.topic, topic, error))
            self._wake.rows_may_have_come()

        threading.Thread(target=look_up, name="outbox-topic", daemon=True).start()

    def _note_topic(self, held: str, topic: str, error: KafkaUnreachable | None) -> None:
        now = time.monotonic()
        if error is not None:
            is_about_it = isinstance(error, TopicsMissing | NotAuthorized)
            self._in_hand.hold_until(held, now + (_TOPIC_AGAIN_S if is_about_it else _AGAIN_S))
            self._note_failure(f"topic={topic}", error)
        else:
            self._found.add(topic)
            self._in_hand.hold_until(held, now)

    def _answered(self, row_id: int, error: BaseException | None) -> None:
        self._answers.append((row_id, error))
        self._wake.set()

    def _failed(self, row_id: int, error: Exception) -> None:
        now = time.monotonic()
        if isinstance(error, TopicsMissing):
            self._found.clear()  # so that it is looked up beside the others
        if isinstance(error, TopicsMissing | NotAuthorized):
            self._in_hand.hold(row_id, now + _TOPIC_AGAIN_S)
        elif isinstance(error, KafkaUnreachable):
            self._in_hand.again(row_id, now + _AGAIN_S)
        elif self._in_hand.refused(row_id):
            self._set_aside(row_id, error)
            return
        self._counts.failed += 1
        self._note_failure(f"row={row_id}", error)

    def _note_failure(self, what: str, error: Exception) -> None:
        now = time.monotonic()
        if now >= self._log_at:
            self._log_at = now + _LOG_EVERY_S
            logger.warning("outbox.not_written %s, trying again: %s", what, error)

    def _set_aside(self, row_id: int, error: Exception) -> None:
        now_ms = time.time_ns() // 1_000_000
        text = f"{type(error).__name__}: {error}"
        self._lead.write(partial(statements.set_aside, row_id=row_id, error=text, now_ms=now_ms))
        self._in_hand.done(row_id)
        self._counts.set_aside += 1
        logger.error("outbox.set_aside row=%d: %s; see todo-workers outbox list", row_id, text)


def _record(row: Row, target: Target) -> tuple[str, Record]:
    """A row's record, and its topic: a delayed job's depends on how long it has to wait from now on.

    Raises any Exception for a row that no program of ours has written.
    """
    headers = list(_headers(row.headers))
    record = Record(bytes(row.key), bytes(row.value), headers, not row.is_ordered)
    eta = text_of("eta", headers)
    if eta is None:
        return row.topic, record
    now_ms = time.time_ns() // 1_000_000
    tier = next_tier(time_ms(eta), now_ms, target.delay_tiers)
    return (target.topics.delay(tier.name) if tier else row.topic), record


@lru_cache(maxsize=16)
def _headers(text: str) -> Sequence[tuple[str, bytes]]:
    """A row's headers. Those of most rows are the same: an event has its content type alone."""
    return [(str(name), value.encode("latin-1")) for name, value in json.loads(text)]
