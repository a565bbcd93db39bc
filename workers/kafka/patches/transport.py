"""A write that takes a round of the loop, and a socket whose last write fails."""

from __future__ import annotations

import time
from typing import Any

from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport


class PromptTransport(KafkaTCPTransport):  # type: ignore[misc]
    """Writes at once what the socket takes, and closes it when the connection is lost.

    kafka-python 3.0.12 first waits until it may write, in a round of its loop of its own. And it never closes
    a socket that was told to close while it had something to write, when that write fails.
    """

    _sock: Any

    def abort(self, error: BaseException | None = None) -> None:
        super().abort(error)
        self._close(error)  # once, however often it is called

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


class TlsTransport(KafkaSSLTransport):  # type: ignore[misc]
    """Closes its socket when the connection is lost, as :class:`PromptTransport` does."""

    _sock: Any

    def abort(self, error: BaseException | None = None) -> None:
        super().abort(error)
        self._close(error)
