"""Tidies the topic of the history up, now and then, in whichever process's turn it is."""

from __future__ import annotations

import logging
import zlib

from ..errors import NotAuthorized, WorkersError
from ..kafka import awaited
from ..kafka.producing.producer import DurableProducer
from ..kafka.topic_reader import TopicReader
from .record import HOUR_S
from .tidying import Kept, take, tidied

logger = logging.getLogger(__name__)

#: A process tidies up as often; the processes of a fleet have different minutes, and the first does the work.
EVERY_S = float(HOUR_S)
#: The first time of a process is not before this.
_FIRST_S = 60.0
#: What is written is read back before more is written; by then there is mostly nothing.
_ROUNDS = 4


class Tidier:
    """Tidies up when it is time. For one thread."""

    def __init__(self, producer: DurableProducer, topic: str, process: str, now_s: float) -> None:
        self._producer = producer
        self._topic = topic
        self._due_s = now_s + _FIRST_S + zlib.crc32(process.encode()) % int(EVERY_S - _FIRST_S)
        self._is_refused = False

    def tidy(self, now_s: float) -> None:
        """Tidy up if it is time. Blocks while it reads the topic; a failure is left to the next time."""
        if now_s < self._due_s:
            return
        self._due_s = now_s + EVERY_S
        try:
            written = tidy_up(self._producer, self._topic, now_s)
            logger.debug("history tidied up records=%d", written)
        except NotAuthorized as exc:
            if not self._is_refused:
                self._is_refused = True
                logger.warning("the history is not kept small by this process: %s", exc)
        except WorkersError as exc:
            logger.debug("history not tidied up: %s", exc)


def tidy_up(producer: DurableProducer, topic: str, now_s: float) -> int:
    """Write what makes the topic small; returns how many records. Blocks.

    Raises KafkaUnreachable or NotAuthorized.
    """
    kept: dict[bytes, Kept] = {}
    written = 0
    with TopicReader(producer.cluster, topic) as reader:
        for _ in range(_ROUNDS):
            take(reader.read_to_end(), kept)
            records = tidied(kept, now_s)
            sent = [producer.send(topic, record) for record in records]
            for future in sent:
                awaited(future, producer.cluster, "write the history")
            written += len(sent)
            if not sent:
                break
    return written
