"""A write that takes a round of the loop."""

from __future__ import annotations

import time
from typing import Any

from kafka.net.transport import KafkaTCPTransport


class PromptTransport(KafkaTCPTransport):  # type: ignore[misc]
    """Writes at once what the socket takes.

    kafka-python 3.0.12 first waits until it may write, in a round of its loop of its own.
    """

    _sock: Any

    def write(self, data: bytes | memoryview) -> None:
        if data and self._write and not self._closed and not self._writing:
            try:
                sent = self._sock.send(data)
            except OSError:  # whatever it is, the task that writes meets it again, and handles it
                sent = 0
            if sent == len(data):
                self.last_write = time.monotonic()
                return
            data = memoryview(data)[sent:]
        super().write(data)
