"""A member of a group that spins, and fills the log, while the group's coordinator is away."""

from __future__ import annotations

from typing import Any

from kafka.coordinator.consumer import ConsumerCoordinator

#: Longest wait before a coordinator that cannot be reached is tried again.
_MAX_WAIT_S = 1.0


class PacedCoordinator(ConsumerCoordinator):  # type: ignore[misc]
    """Waits before it asks again for a coordinator that cannot be reached, and warns once that it is gone.

    Kafka names a broker that has died as coordinator until it fences it, 9 s later. kafka-python 3.0.12 finds
    that broker disconnected, marks it dead with a warning, asks again at once, and gets the same answer: some
    250 times a second.
    """

    coordinator_id: Any
    _told: Any = None

    async def _send_group_coordinator_request(self) -> Any:
        node_id = await super()._send_group_coordinator_request()
        delay_s = self._manager.connection_delay(node_id)
        if delay_s > 0:
            await self._net.sleep(min(delay_s, _MAX_WAIT_S))
        return node_id

    def coordinator_dead(self, error: Any) -> None:
        if self.coordinator_id is not None and self.coordinator_id == self._told:
            self.coordinator_id = None
            return
        if self.coordinator_id is not None:
            self._told = self.coordinator_id
        super().coordinator_dead(error)

    def _handle_heartbeat_response(self, response: Any, send_time: float) -> Any:
        if response.error_code == 0:
            self._told = None
        return super()._handle_heartbeat_response(response, send_time)
