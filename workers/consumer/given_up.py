"""Makes dead letters; none is forgotten, and the consuming thread never waits for them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import dramatiq

from ..dead_letters.cause import reason_of
from ..dead_letters.writer import DeadLetterWriter
from ..errors import WorkersError
from ..partitions.commits import RETRY_DELAY_S
from ..partitions.taken_message import TakenMessage
from .acks import GivenUp, Inbox, NotWritten, Settled

logger = logging.getLogger(__name__)


class GivenUpRecords:
    """Without blocking, writes the dead letters of records that do not run, until Kafka has them.

    For the consuming thread, except :meth:`nack`, which any thread may call. The inbox gets a Settled once
    Kafka has confirmed a dead letter; until then the record's offset is not done.
    """

    def __init__(
        self,
        dead_letters: DeadLetterWriter,
        queue_name: str,
        inbox: Inbox,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._dead_letters = dead_letters
        self._queue_name = queue_name
        self._inbox = inbox
        self._clock = clock
        self._to_retry: list[GivenUp] = []
        self._retry_at = 0.0

    @property
    def are_waiting(self) -> bool:
        """Whether some dead letter has to be written again."""
        return bool(self._to_retry)

    def write(self, given_up: GivenUp) -> None:
        """Send the record's dead letter; the inbox gets a Settled or a NotWritten."""
        owned, record, reason, error, message = given_up
        try:
            future = self._dead_letters.send(record, self._queue_name, reason, error, message)
        except WorkersError as exc:
            self._inbox.put(NotWritten(given_up, exc))
            return
        future.add_callback(lambda _: self._inbox.put(Settled(owned, record)))
        future.add_errback(lambda exc: self._inbox.put(NotWritten(given_up, exc)))

    def nack(self, message: TakenMessage) -> None:
        """Write the dead letter of a job that dramatiq gives up, and wait until Kafka has it.

        Raises a BrokerConnectionError if it cannot be written. Neither holds for a job of an unknown actor:
        dramatiq gives that up on the consuming thread, and would try again there for as long as the letter
        cannot be written. The queue's other jobs go on instead.
        """
        error = message._exception
        if isinstance(error, dramatiq.ActorNotFound) and not message.started:
            owned, record = message.owned, message.record
            owned.in_hand[record.offset] = None  # as of one of which no message was made
            self.write(GivenUp(owned, record, reason_of(error), error, message._message))
            return
        self._dead_letters.write(message)
        message.ack()

    def note(self, ack: NotWritten | TakenMessage) -> None:
        """Plan another try; of a job that was held and released with an error, make the first one."""
        if isinstance(ack, TakenMessage):
            assert ack.given_up is not None
            error = ack.given_up
            self.write(GivenUp(ack.owned, ack.record, reason_of(error), error, ack._message))
            return
        given_up = ack.given_up
        logger.error(
            "dead letter not written topic=%s partition=%d offset=%d, trying again: %s",
            *given_up.owned.partition,
            given_up.record.offset,
            ack.error,
        )
        self._to_retry.append(given_up)
        self._retry_at = self._clock() + RETRY_DELAY_S

    def retry_if_due(self, now: float) -> None:
        """Write the dead letters again that were not written, after a pause."""
        if self._to_retry and now >= self._retry_at:
            again, self._to_retry = self._to_retry, []
            for given_up in again:
                self.write(given_up)
