"""A look-up that waits behind a request for records, and others that wait behind a join."""

from __future__ import annotations

from typing import Any

from kafka.protocol.consumer import JoinGroupRequest, SyncGroupRequest
from kafka.protocol.metadata import MetadataResponse

from . import login

#: Begins the name of a coordinator's node whose connection is for a join alone.
_APART = "join-"


class ConnectionManager(login.ConnectionManager):
    """Asks for metadata, and for a group's coordinator, by a connection on which nothing is under way.

    kafka-python 3.0.12 asks by a broker's first connection, also while that waits for records, although the
    connection to the group's coordinator is free: Kafka answers the requests of a connection in their order.
    A join waits for other members; it goes by a connection of its own if ``joins_apart`` says so.
    """

    joins_apart = False

    def send(self, request: Any, node_id: Any = None, request_timeout_ms: float | None = None) -> Any:
        if self.joins_apart and isinstance(request, (JoinGroupRequest, SyncGroupRequest)):
            node_id = self._apart(node_id)
        return super().send(request, node_id, request_timeout_ms)

    def _apart(self, node_id: Any) -> Any:
        """Another name for a broker, under which it is connected to once more."""
        known = self.cluster.broker_metadata(node_id)
        if known is None:
            return node_id
        name = f"{_APART}{node_id}"
        self.cluster._coordinator_brokers[name] = MetadataResponse.MetadataResponseBroker(
            name, known.host, known.port, None
        )
        return name

    def close_apart(self) -> None:
        """Close the connections that were made for a join."""
        for node_id in list(self._conns):
            if str(node_id).startswith(_APART):
                self.close(node_id)

    def least_loaded_node(self) -> Any:
        for node_id, connection in list(self._conns.items()):
            is_free = connection.connected and not connection.paused and not connection.in_flight_requests
            if is_free and not self.cluster.is_bootstrap(node_id) and not str(node_id).startswith(_APART):
                return node_id
        return super().least_loaded_node()
