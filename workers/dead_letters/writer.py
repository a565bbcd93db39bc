"""Writes dead letters: always before the job's offset is done."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from typing import Any

import dramatiq

from ..errors import MessageTooLarge
from ..kafka import Cluster, translated
from ..kafka.producing.producer import DurableProducer
from ..measures.catalogue import DEAD_LETTERS
from ..partitions.taken_message import TakenMessage
from ..records.consumed import ConsumedRecord
from ..records.decoding import source_of
from .cause import error_fields, reason_of
from .identity import told_by
from .keys import id_of
from .letter import DeadLetter, Origin, Reason
from .topic.kept_record import BEGINNING_BYTES, MAX_KEPT_BYTES, kept_of
from .topic.letter_record import encode

logger = logging.getLogger(__name__)


class DeadLetterWriter:
    """Writes to one dead-letter topic for one consumer group. Safe to call from any thread."""

    def __init__(
        self, producer: DurableProducer, topic: str, group: str, sources: Collection[str] = ()
    ) -> None:
        """``sources``: the topics whose records are not jobs yet. Does no I/O."""
        self._producer = producer
        self._sources = sources
        self._topic = topic
        self._group = group
        #: The records of which the topic takes no whole letter: theirs have only a beginning.
        self._too_long: set[Origin] = set()

    @property
    def cluster(self) -> Cluster:
        return self._producer.cluster

    def write(self, delivery: TakenMessage) -> None:
        """Write the dead letter of a job that was given up, and wait until Kafka has it.

        Raises a BrokerConnectionError if Kafka does not take it.
        """
        try:
            self._write(delivery)
        except MessageTooLarge as exc:
            self._shorten(_origin_of(delivery.record), exc)
            self._write(delivery)

    def _write(self, delivery: TakenMessage) -> None:
        error = delivery._exception
        letter = self._letter(
            delivery.record,
            delivery._message,
            reason_of(error),
            queue=delivery.queue_name,
            message_id=delivery.message_id,
            actor=delivery.actor_name,
            attempts=delivery.attempt,
            **error_fields(error, with_traceback=True),
        )
        self._producer.deliver(self._topic, encode(letter), beside=id_of(letter.key))
        self._written(letter)
        # An exception that its actor throws on purpose is nothing to warn of.
        _log(letter, logging.INFO if delivery.expected else logging.WARNING)

    def send(
        self,
        record: ConsumedRecord,
        queue: str | None,
        reason: Reason,
        error: BaseException,
        message: dramatiq.Message[Any] | None = None,
    ) -> Any:
        """Send the dead letter of a record that is not handed out, without waiting; returns a future.

        ``message`` is the record's, if it can be read; ``queue`` is None if only the record can say which one
        it is for. Raises a WorkersError if the dead letter cannot even be buffered. If the topic takes no
        letter so long, the next one of the record is shorter.
        """
        fields = error_fields(error, with_traceback=False) | told_by(record, message, queue)
        letter = self._letter(record, message, reason, **fields)
        future = self._producer.send(self._topic, encode(letter), beside=id_of(letter.key))
        future.add_callback(lambda _: self._written(letter))
        future.add_errback(lambda exc: self._not_written(letter, exc))
        return future.add_callback(lambda _: _log(letter))

    def _letter(
        self, record: ConsumedRecord, message: dramatiq.Message[Any] | None, reason: Reason, **fields: Any
    ) -> DeadLetter:
        origin = _origin_of(record)
        at_most = BEGINNING_BYTES if origin in self._too_long else MAX_KEPT_BYTES
        kept = kept_of(record, message, source_of(record, self._sources), at_most=at_most)
        return DeadLetter(
            reason=reason,
            origin=origin,
            value=kept.value,
            time_ms=int(time.time() * 1000),
            group=self._group,
            job_key=kept.key,
            job_headers=tuple(kept.headers),
            **fields,
        )

    def _written(self, letter: DeadLetter) -> None:
        self._too_long.discard(letter.origin)
        _count(letter)

    def _not_written(self, letter: DeadLetter, error: BaseException) -> None:
        meaning = translated(error, self.cluster, f"write to topic {self._topic}")
        if isinstance(meaning, MessageTooLarge):
            self._shorten(letter.origin, meaning)

    def _shorten(self, origin: Origin, error: MessageTooLarge) -> None:
        self._too_long.add(origin)
        logger.warning("dead letter shortened topic=%s origin=%s: %s", self._topic, origin, error)


def _origin_of(record: ConsumedRecord) -> Origin:
    return Origin(record.topic, record.partition, record.offset, record.timestamp)


def _count(letter: DeadLetter) -> None:
    DEAD_LETTERS.add(letter.queue or "", letter.actor or "", letter.reason.value)


def _log(letter: DeadLetter, level: int = logging.WARNING) -> None:
    logger.log(
        level,
        "dead letter written id=%s reason=%s actor=%s origin=%s error=%s",
        letter.id,
        letter.reason,
        letter.actor,
        letter.origin,
        letter.exception_type,
    )
