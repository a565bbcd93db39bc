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

    def append(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: list[tuple[str, bytes]],
    ) -> Any:
        """Put a record into the buffer of a partition that the topic has; returns its future.

        Does not block. Raises IllegalStateError once the producer is closed, and MessageSizeTooLargeError.
        """
        if self._closed:
            raise IllegalStateError("KafkaProducer already closed!")
        size = _RECORD_BYTES + len(key or b"") + len(value or b"")
        for name, content in headers:
            size += _HEADER_BYTES + 4 * len(name) + len(content)
        if size > self.config["max_request_size"]:
            self._ensure_valid_record_size(self._estimate_size_in_bytes(key, value, headers))
        future, is_full, is_new, _ = self._accumulator.append(
            TopicPartition(topic, partition), None, key, value, headers
        )
        if is_full or is_new:
            self._sender.wakeup()
        return future
