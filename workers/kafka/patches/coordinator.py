"""A group member that spins without a coordinator, and whose polls return for each heartbeat.

It also forgets a join that has begun, and goes on with the partitions that it has lost.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from kafka.coordinator.consumer import ConsumerCoordinator
from kafka.errors import KafkaError, NotCoordinatorError

from .assignor import Assignor

#: Longest wait before a coordinator that cannot be reached is tried again.
_MAX_WAIT_S = 1.0
#: How long the search for a new coordinator takes at most before it is news, and when another one begins.
_PASSING_S = 3.0
_ANOTHER_TROUBLE_S = 10.0


class PacedCoordinator(ConsumerCoordinator):  # type: ignore[misc]
    """Waits before it asks again for a coordinator that cannot be reached, and warns once that it is gone.

    A broker that says that it does not coordinate the group, as in the first moments of a cluster, is not
    dead: that is news only if it lasts.

    Kafka names a broker that has died as coordinator until it fences it, 9 s later. kafka-python 3.0.12 finds
    that broker disconnected, marks it dead with a warning, asks again at once, and gets the same answer: some
    250 times a second.

    A poll returns when a rebalance begins, and not for each heartbeat, which the I/O thread sends by itself.
    It does not wait for the I/O thread to find the coordinator that is known.

    A join that was begun is seen through. kafka-python 3.0.12 forgets one that began with new metadata, as of
    a topic that is deleted and made again, if its answer comes between two polls: the member never takes its
    partitions, and sends no heartbeats.

    A member that has lost its place claims nothing, and says what it has lost before it joins again.
    kafka-python 3.0.12 goes on to claim the partitions that it had. If no other member has had them since,
    they stay with nobody until the next rebalance. And if it learns of its loss by the answer to a join, it
    says nothing: where it is given some of them anew it goes on from its old positions, and commits them,
    though others may have had them in between.
    """

    coordinator_id: Any
    #: Whether a join has begun and its answer is not taken yet.
    rejoining: bool
    _told: Any = None
    #: When brokers first and last said that they do not coordinate the group any more.
    _moved_first = _moved_last = -math.inf
    #: Called, from any thread, when the group has to be joined anew.
    on_rejoin: Callable[[], None] = staticmethod(lambda: None)
    #: Called on the I/O thread when the group has been joined anew, with the seconds that it took.
    on_joined: Callable[[float], None] = staticmethod(lambda _: None)
    _joining_since: float | None = None

    def ensure_coordinator_ready(self, timeout_ms: float | None = None) -> Any:
        if self.coordinator_id is not None and self._client.connected(self.coordinator_id):
            return True
        return super().ensure_coordinator_ready(timeout_ms)

    def need_rejoin(self) -> bool:
        return self.rejoining or bool(super().need_rejoin())

    def time_to_next_poll(self) -> float:
        return math.inf

    async def _on_join_prepare_async(self, *args: Any, **options: Any) -> Any:
        self.on_rejoin()  # new metadata alone can begin a rebalance as well
        if self._joining_since is None:  # a join that fails begins again
            self._joining_since = time.monotonic()
        return await super()._on_join_prepare_async(*args, **options)

    async def _on_join_complete_async(self, *args: Any, **options: Any) -> Any:
        result = await super()._on_join_complete_async(*args, **options)
        since, self._joining_since = self._joining_since, None
        if since is not None:
            self.on_joined(time.monotonic() - since)
        return result

    def note_heartbeat(self) -> None:
        """Note that a heartbeat that was sent for it has succeeded: its own may wait."""
        self._told = None
        self.heartbeat.sent_heartbeat()
        self.heartbeat.received_heartbeat()

    def take_heartbeat_error(self, generation: Any, response: Any) -> None:
        """Handle, on the I/O thread, the answer to a heartbeat that was sent for it in a generation."""

        def handle() -> None:
            if self._generation is generation:
                with suppress(KafkaError):
                    self._handle_heartbeat_response(response, 0.0)

        self._net.call_soon_threadsafe(handle)

    def use_own_heartbeat(self) -> None:
        """Send its own heartbeat at once, as another was not answered."""
        self.heartbeat.fail_heartbeat()
        self._heartbeat_wakeup.notify()

    def request_rejoin(self) -> None:
        super().request_rejoin()
        self.on_rejoin()

    def reset_generation(self, *args: Any, **options: Any) -> None:
        super().reset_generation(*args, **options)
        self.rejoining = False  # whether partitions were lost is asked when a join begins, and not in one
        for assignor in self._assignors.values():
            if isinstance(assignor, Assignor):
                assignor.forget()
        self.on_rejoin()

    async def _send_group_coordinator_request(self) -> Any:
        node_id = await super()._send_group_coordinator_request()
        delay_s = self._manager.connection_delay(node_id)
        if delay_s > 0:
            await self._net.sleep(min(delay_s, _MAX_WAIT_S))
        return node_id

    def coordinator_dead(self, error: Any) -> None:
        if isinstance(error, NotCoordinatorError) and self._may_pass():
            self.coordinator_id = None
            return
        if self.coordinator_id is not None and self.coordinator_id == self._told:
            self.coordinator_id = None
            return
        if self.coordinator_id is not None:
            self._told = self.coordinator_id
        super().coordinator_dead(error)

    def _may_pass(self) -> bool:
        """Whether the trouble of a coordinator that is well, and coordinates no more, is a new one."""
        now = time.monotonic()
        if now - self._moved_last > _ANOTHER_TROUBLE_S:
            self._moved_first = now
        self._moved_last = now
        return now - self._moved_first < _PASSING_S

    def _handle_heartbeat_response(self, response: Any, send_time: float) -> Any:
        if response.error_code == 0:
            self._told = None
        return super()._handle_heartbeat_response(response, send_time)
