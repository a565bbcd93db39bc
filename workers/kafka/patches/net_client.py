"""A producer that spins while a broker is away."""

from __future__ import annotations

from kafka.net.compat import KafkaNetClient

#: How long a producer waits for a connection that is being made before it looks again.
_CONNECTING_MS = 100


class NetClient(KafkaNetClient):  # type: ignore[misc]
    """Returns in milliseconds when a broker can be connected to, as the producer expects.

    kafka-python 3.0.12 returns seconds, and 0 while a connection is being made: as long as a broker with
    records to send is away, the producer's thread loops with hardly any wait.
    """

    def connection_delay(self, node_id: object) -> float:
        delay_ms: float = super().connection_delay(node_id) * 1000
        return delay_ms if delay_ms or self.is_disconnected(node_id) else _CONNECTING_MS
