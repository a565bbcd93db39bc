"""A look-up that waits behind a request for records."""

from __future__ import annotations

from typing import Any

from . import login


class ConnectionManager(login.ConnectionManager):
    """Asks for metadata, and for a group's coordinator, by a connection on which nothing is under way.

    kafka-python 3.0.12 asks by a broker's first connection, also while that waits for records, although the
    connection to the group's coordinator is free: Kafka answers the requests of a connection in their order.
    """

    def least_loaded_node(self) -> Any:
        for node_id, connection in list(self._conns.items()):
            is_free = connection.connected and not connection.paused and not connection.in_flight_requests
            if is_free and not self.cluster.is_bootstrap(node_id):
                return node_id
        return super().least_loaded_node()
