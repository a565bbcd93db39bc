"""Work that each record of a producer is done for nothing."""

from __future__ import annotations

from typing import Any

from kafka import KafkaProducer, TopicPartition
from kafka.errors import IllegalStateError

#: What a record takes beyond its key, value and headers, and each header beyond its own two, at most.
_RECORD_BYTES, _HEADER_BYTES = 100, 10


class DirectProducer(KafkaProducer):  # type: ignore[misc]
    """Takes records whose partition is chosen already, without looking at anything else than the record.

    For each record, `KafkaProducer.send` of kafka-python 3.0.12 makes sets of the names of all topics and of
    the topic's partitions, writes itself out as text for a log line that nobody reads, and checks the types
    of all headers, which fail anyway when they are written: a quarter of what it costs its caller.
    """

    config: Any
    _accumulator: Any
    _closed: bool
    _sender: Any
    #: Whether an event loop puts records in, or has, for which it wakes the thread that sends only later.
    _is_wake_due = False

    def append(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: list[tuple[str, bytes]],
        *,
        at_once: bool = True,
    ) -> tuple[Any, bool]:
        """Put a record into a partition's buffer; the next :meth:`wake` sends it.

        Returns its future, and whether the caller has to see to that; else it was seen to for other records
        of the batch. Who sees to it only later, as event loops do, says so by ``at_once``, and then calls
        :meth:`wake_due` in place of :meth:`wake`. Does not block.

        Raises IllegalStateError once the producer is closed, MessageSizeTooLargeError, and TypeError for a
        header without content. Takes, unlike `send`, a record with neither key nor value, and any
        ``partition``: the caller has made sure that the topic has it.
        """
        if self._closed:
            raise IllegalStateError("KafkaProducer already closed!")
        size = _RECORD_BYTES + len(key or b"") + len(value or b"")
        for name, content in headers:  # the one look at their types, too
            size += _HEADER_BYTES + 4 * len(name) + len(content)
        if size > self.config["max_request_size"]:
            self._ensure_valid_record_size(self._estimate_size_in_bytes(key, value, headers))
        was_due = self._is_wake_due
        if not at_once:
            # Before others can join its batch: who cannot wait for the loop need not.
            self._is_wake_due = True
        future, is_full, is_new, _ = self._accumulator.append(
            TopicPartition(topic, partition), None, key, value, headers
        )
        must_wake = is_full or is_new or (self._is_wake_due if at_once else was_due)
        if not (at_once or must_wake):
            self._is_wake_due = False
        return future, must_wake

    def wake(self) -> None:
        """Have the buffered records sent."""
        self._sender.wakeup()

    def wake_due(self) -> None:
        """Have the buffered records sent, for those who said that they do so later."""
        self._is_wake_due = False
        self._sender.wakeup()
