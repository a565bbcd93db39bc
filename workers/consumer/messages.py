"""Makes the messages of records that are in hand; what cannot be one becomes a dead letter."""

from __future__ import annotations

from ..dead_letters.letter import Reason
from ..errors import Undecodable, WorkerDied
from ..partitions.crash_counts import GIVEN_UP_FROM
from ..partitions.owned_partition import OwnedPartition
from ..partitions.taken_message import TakenMessage
from ..records.consumed import ConsumedRecord
from ..records.decoding import QueueDecoder
from .acks import GivenUp, Inbox, Settled
from .given_up import GivenUpRecords


class Messages:
    """The messages of one queue's records. For the consuming thread."""

    def __init__(self, decoder: QueueDecoder, given_up: GivenUpRecords, inbox: Inbox) -> None:
        self._decoder = decoder
        self._given_up = given_up
        self._inbox = inbox

    def of(self, owned: OwnedPartition, record: ConsumedRecord, deaths: int = 0) -> TakenMessage | None:
        """The message of a record that is in hand; None if it becomes a dead letter, or is no job."""
        try:
            message = self._decoder.decode(record)
        except Undecodable as exc:
            self._given_up.write(GivenUp(owned, record, Reason.UNDECODABLE, exc))
            return None
        if message is None:
            self._inbox.put(Settled(owned, record))
            return None
        if deaths >= GIVEN_UP_FROM:
            error = WorkerDied(f"{deaths} worker processes died while they held the job: {WorkerDied()}")
            self._given_up.write(GivenUp(owned, record, Reason.CRASHED, error, message))
            return None
        taken = owned.in_hand[record.offset] = TakenMessage(
            message,
            record,
            owned,
            self._inbox,
            is_of_source=self._decoder.has_sources and self._decoder.is_of_source(record),
        )
        return taken
