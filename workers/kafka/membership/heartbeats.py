"""Sends the heartbeats of all consumers of a process, together and by one connection to each coordinator.

Heartbeats bring the news of a rebalance, so they are frequent, and each consumer of kafka-python's sends its
own, by a thread and a connection of its own. Here one thread sends them all in one go, twice a second::

    consumer of queue a ──┐
    consumer of queue b ──┼── Heartbeats ── all that are due, one write ──► the groups' coordinator
    mover ────────────────┘        │
                                   └──◄── all answers, one read: what is no "all is well" goes to its consumer

Each consumer's own heartbeats stay as a reserve: they begin when none has succeeded for a while. The same
connection asks for the metadata of all consumers, see :mod:`.shared_metadata`, and the same thread wakes
those that sleep and must not any more.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from typing import Any

from kafka import KafkaConsumer
from kafka.errors import KafkaError

from ..clients import close_inherited, connect_bare
from ..cluster import Cluster
from ..patches.heartbeat import Beat, send_together
from . import shared_metadata

logger = logging.getLogger(__name__)

#: A member that joins stops delivery for about as long.
INTERVAL_S = 0.5
#: A consumer sends its own heartbeats once none has succeeded for so long, or for a third of its session.
_RESERVE_MS = 5_000


class Heartbeats:
    """The heartbeats of one process. Safe for any thread, and over a fork.

    It has a connection and a thread while there are consumers.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._client: Any = None
        self.forget()
        _instances.add(self)

    def add(self, consumer: KafkaConsumer) -> None:
        """Send a consumer's heartbeats until it closes, whenever it is a member of its group.

        Does not block. The consumer was made by :func:`connect_consumer`.
        """
        consumer.on_close = lambda: self._remove(consumer)
        config = consumer._coordinator.heartbeat.config
        config["heartbeat_interval_ms"] = min(_RESERVE_MS, config["session_timeout_ms"] // 3)
        with self._lock:
            self._consumers.append(consumer)
            if self._client is None:
                self._client = connect_bare(self._cluster)
                self._client._manager.call_soon(self._run, self._client)
                self._client._manager.call_soon(self._look_at_topics, self._client)

    def _remove(self, consumer: KafkaConsumer) -> None:
        """Send no more for a consumer; disconnects after the last one."""
        client = None
        with self._lock:
            if consumer in self._consumers:
                self._consumers.remove(consumer)
            self._beats.pop(consumer._coordinator, None)
            if not self._consumers:
                client, self._client = self._client, None
        if client is not None:
            client.close()

    async def _run(self, client: Any) -> None:
        """Send them all, again and again; on the I/O thread."""
        while client is self._client:
            try:
                self._send_all(client._manager)
            except Exception:
                logger.exception("heartbeats not sent, each consumer sends its own")
            for consumer in list(self._consumers):
                consumer.wake_if_due()
            await client._net.sleep(INTERVAL_S)

    async def _look_at_topics(self, client: Any) -> None:
        """Keep the metadata of the consumers fresh; on the I/O thread."""
        while client is self._client:
            await client._net.sleep(shared_metadata.INTERVAL_S)
            try:
                await shared_metadata.refresh(client._manager, list(self._consumers))
            except KafkaError:
                logger.debug("metadata not asked for, each consumer asks itself", exc_info=True)
            except Exception:
                logger.exception("metadata not asked for, each consumer asks itself")

    def _send_all(self, manager: Any) -> None:
        due: dict[Any, list[Beat]] = {}
        for coordinator in [consumer._coordinator for consumer in list(self._consumers)]:
            beat = self._beat_of(coordinator)
            if beat is not None and not beat.is_under_way:
                due.setdefault(coordinator.coordinator_id, []).append(beat)
        for node_id, beats in due.items():
            manager.cluster._coordinator_brokers[node_id] = beats[0].address
            try:
                connection = manager.get_connection(node_id, refresh_metadata_on_err=False)
            except KafkaError as exc:
                for beat in beats:
                    beat.failure(exc)
                continue
            send_together(connection, beats)

    def _beat_of(self, coordinator: Any) -> Beat | None:
        """The heartbeat of a consumer; None unless it is a member of its group and knows the coordinator.

        None also if it has not polled for too long: Kafka gives its partitions to others, even if its own
        I/O thread hangs and cannot leave the group.
        """
        generation, node_id = coordinator.generation_if_stable(), coordinator.coordinator_id
        if generation is None or node_id is None or not coordinator._heartbeat_enabled:
            return None
        if coordinator.heartbeat.poll_timeout_expired():
            return None
        beat = self._beats.get(coordinator)
        if beat is None or beat.generation is not generation:
            beat = self._beats[coordinator] = Beat(coordinator, generation)
        return beat

    def forget(self) -> None:
        """Begin with nothing in a child after a fork: the consumers, and the thread, are its parent's."""
        if self._client is not None:
            close_inherited(self._client)
        self._lock = threading.Lock()
        self._consumers: list[KafkaConsumer] = []
        self._beats: dict[Any, Beat] = {}
        self._client = None


_instances: weakref.WeakSet[Heartbeats] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for instance in list(_instances):
        instance.forget()


os.register_at_fork(after_in_child=_after_fork_in_child)
