"""Reads the history from its topic."""

from __future__ import annotations

import logging
import time
from types import TracebackType
from typing import Self

from ..kafka import Cluster
from ..kafka.topic_reader import TopicReader
from .history import History, history, is_shown
from .record import Part, decode

logger = logging.getLogger(__name__)


class StatsReader:
    """Reads the history again and again, each time only what is new; a context manager, for one thread."""

    def __init__(self, cluster: Cluster, topic: str) -> None:
        """``topic``: see `Topics.stats`. Does no I/O."""
        self._reader = TopicReader(cluster, topic)
        self._parts: dict[bytes, Part] = {}

    def __enter__(self) -> Self:
        """Connect. Raises KafkaUnreachable or NotAuthorized."""
        self._reader.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._reader.close()

    def read(self, now_s: float | None = None) -> History:
        """The history up to now, empty without a topic. Blocks while it reads. Raises KafkaUnreachable."""
        for record in self._reader.read_to_end():
            if record.value is None:
                self._parts.pop(record.key or b"", None)
                continue
            try:
                self._parts[record.key or b""] = decode(record.key, record.value)
            except ValueError as exc:
                logger.debug("record of the history left out offset=%d: %s", record.offset, exc)
        now_s = time.time() if now_s is None else now_s
        self._parts = {key: part for key, part in self._parts.items() if is_shown(part, now_s)}
        return history(self._parts.values(), now_s)
