"""The acks that other threads post to the thread that consumes, and its inbox.

kafka-python's consumer is not thread-safe, and jobs end on worker threads. So nobody but the consuming thread
touches partitions or commits: the others post acks, and it reads them between two jobs.
"""

from __future__ import annotations

from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, NamedTuple

import dramatiq

from ..dead_letters.letter import Reason
from ..kafka import TopicPartition
from ..partitions.owned_partition import OwnedPartition
from ..partitions.taken_message import TakenMessage
from ..records.consumed import ConsumedRecord


class GivenUp(NamedTuple):
    """A record that gets a dead letter, and why; ``message`` is its message, if it can be read."""

    owned: OwnedPartition
    record: ConsumedRecord
    reason: Reason
    error: Exception
    message: dramatiq.Message[Any] | None = None


class Settled(NamedTuple):
    """Posted when nothing more is to be done about a record that was given up, or is no job."""

    owned: OwnedPartition
    record: ConsumedRecord


class NotWritten(NamedTuple):
    """Posted when the dead letter of a record could not be written."""

    given_up: GivenUp
    error: BaseException


@dataclass(slots=True)
class PassedOn:
    """A job that is being produced to ``place``; posted when Kafka has confirmed it, or not: ``error``."""

    owned: OwnedPartition
    record: ConsumedRecord
    place: TopicPartition
    error: BaseException | None = None
    #: Whether it may be under way: then a revoke waits for it.
    started: bool = True


#: A TakenMessage means that its job is done, was handed back, or is given up.
Ack = TakenMessage | Settled | NotWritten | PassedOn
Inbox = SimpleQueue[Ack]
