"""A producer that spins while a broker is away, and a client that is closed under its thread's feet."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

from kafka.net.compat import KafkaNetClient

#: How long a producer waits for a connection that is being made before it looks again.
_CONNECTING_MS = 100


class NetClient(KafkaNetClient):  # type: ignore[misc]
    """Returns in milliseconds when a broker can be connected to, and closes its connections on their thread.

    kafka-python 3.0.12 returns seconds, and 0 while a connection is being made, where the producer expects
    milliseconds: as long as a broker with records to send is away, its thread loops with hardly any wait.

    It closes the connections on the thread that closes the client, while the I/O thread may read from one:
    that then logs "'NoneType' object has no attribute 'recv'" with a traceback. And a connection that has
    something to write at that moment is never closed.
    """

    _manager: Any
    _net: Any

    def connection_delay(self, node_id: object) -> float:
        delay_ms: float = super().connection_delay(node_id) * 1000
        return delay_ms if delay_ms or self.is_disconnected(node_id) else _CONNECTING_MS

    def close(self, node_id: object = None) -> None:
        if node_id is not None:
            super().close(node_id)
            return
        thread = self._net._io_thread
        if thread is not None and thread.is_alive() and thread is not threading.current_thread():
            with suppress(Exception):  # if the thread ends meanwhile, they are closed here
                self._net.run(self._manager.close)
        try:
            super().close()
        finally:
            self._manager.close_sockets()
