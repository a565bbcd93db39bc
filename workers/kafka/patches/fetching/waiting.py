"""A poll that wakes threads for nothing, and an idle client that asks for records twice a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from kafka import TopicPartition

from .bounded import BoundedFetcher

#: How long Kafka may keep the request for records of a consumer that gets none.
_LONG_WAIT_MS = 20_000
#: A consumer that has got no records for so long asks for them with the long wait.
_IDLE_AFTER_S = 2.0
#: Longest time without a whole poll.
_QUIET_S = 60.0


class WaitingFetcher(BoundedFetcher):
    """Waits for records without a step of the client's I/O thread, and for longer while none come.

    kafka-python 3.0.12 lets its I/O thread take two steps in each poll, also if nothing is to be sent, and
    waits for the end of both. It asks for records anew each ``fetch_max_wait_ms``. A longer wait alone would
    hold up partitions that are assigned or resumed meanwhile: one request at a time is under way to a broker.
    So a request that waits long is dropped, with its connection, as soon as it does not ask for all that is
    wanted.
    """

    #: The poll waits for it.
    _something_came: threading.Event
    _short_wait_ms: int
    #: No request waits long before this time.
    _long_from: float
    #: By node, the offsets that its request with the long wait asks for. Changed by the I/O thread alone.
    _waiting_long: dict[Any, dict[TopicPartition, int]]
    _may_wait_long: bool
    #: Whether new metadata asks for a rebalance.
    is_rejoin_due: Callable[[], bool] = staticmethod(lambda: False)
    #: Whether the group has answered a join, which a whole poll takes.
    is_answered: Callable[[], bool] = staticmethod(lambda: False)
    #: By partition, the leader and its epoch when metadata last came.
    _leaders: dict[TopicPartition, tuple[Any, Any]]
    #: Polls have nothing to do before this time, unless something comes.
    _quiet_until: float

    def prepare(self, *, is_member: bool) -> None:
        super().prepare(is_member=is_member)
        self._leaders = {}
        self._something_came = threading.Event()
        self._short_wait_ms = self.config["fetch_max_wait_ms"]
        self._waiting_long = {}
        # A member's connections to its brokers ask for nothing but records.
        self._may_wait_long = is_member and self._short_wait_ms < _LONG_WAIT_MS
        self._quiet_until = 0.0
        self._note_activity()

    def end_wait(self) -> None:
        """Let a waiting poll return to look at the group, and drop what would hold up new partitions.

        From any thread; does not block.
        """
        self._note_activity()
        if self._waiting_long:  # dropped first: what the poll asks for would go by the same connection
            self._net.call_soon_threadsafe(self._drop_long_waits)
        self._something_came.set()

    @property
    def is_quiet(self) -> bool:
        """Whether the last poll waited in vain, and nothing has changed since."""
        return time.monotonic() < self._quiet_until

    def end_quiet(self) -> None:
        """Let the poll that waits, or the next one, be a whole one. From any thread."""
        self._something_came.set()

    def note_metadata(self, _cluster: Any) -> None:
        """Called by the I/O thread when metadata has come."""
        self._net.call_soon(self._compare_metadata)  # once all others that are called have taken it in

    def _compare_metadata(self) -> None:
        """End the quiet if a partition has another leader or log, or the group is to be joined anew.

        Ends the long waits as well if a partition that was known has another leader: its position is
        validated, or set anew, by the connections that they occupy.
        """
        self.read_new_topics()
        cluster, assigned = self._manager.cluster, list(self._subscriptions.assignment)
        leaders = {
            p: (cluster.leader_for_partition(p), cluster.leader_epoch_for_partition(p)) for p in assigned
        }
        before, self._leaders = self._leaders, leaders
        if any(before.get(partition, leader) != leader for partition, leader in leaders.items()):
            self.end_wait()
        elif leaders != before or self.is_rejoin_due():
            self._something_came.set()

    def wait_for_news(self, timeout_s: float) -> bool:
        """Wait until a poll has something to do; False if that does not happen in time."""
        return self._something_came.wait(timeout_s)

    def fetch_records(
        self, max_records: int | None = None, update_offsets: bool = True, timeout_ms: float | None = None
    ) -> Any:
        self._quiet_until = 0.0
        self._something_came.clear()  # before the look at what came
        if self.is_answered():
            self._something_came.set()
        records, more_at_hand = self.fetched_records(max_records, update_offsets)
        if not more_at_hand and self._is_anything_to_send():
            self.send_fetches()
        if records:
            return records, False
        tasks = [task for task in (self._reset_task, self._validation_task) if task and not task.is_done]
        for task in tasks:
            task.add_both(lambda _: self._something_came.set())
        if not tasks and not self._nodes_with_pending_fetch_requests and not self._something_came.is_set():
            return records, True
        if self._something_came.wait(None if timeout_ms is None else timeout_ms / 1000):
            records, _ = self.fetched_records(max_records, update_offsets)
        elif self._is_settled():
            self._quiet_until = time.monotonic() + _QUIET_S
        return records, False

    def _is_settled(self) -> bool:
        """Whether requests are under way for all partitions that are to be fetched, and none needs more."""
        if self.unreadable:  # they are tried again from time to time
            return False
        states = list(self._subscriptions.assignment.values())
        known = all(state.paused or state.is_fetchable() for state in states)
        return known and not self._is_anything_to_send()

    def _is_anything_to_send(self) -> bool:
        """Whether some partition is to be fetched that no request under way asks for."""
        for partition in self._fetchable_partitions():
            node = self._select_read_replica(partition)
            if node not in self._nodes_with_pending_fetch_requests or self._is_missed(node, partition):
                return True
        return False

    def _is_missed(self, node: Any, partition: TopicPartition) -> bool:
        """Whether the node's request with a long wait does not ask for what the partition needs now."""
        asked = self._waiting_long.get(node)
        if asked is None:
            return False
        position = self._subscriptions.assignment[partition].position
        return position is not None and asked.get(partition) != position.offset

    def _create_fetch_requests(self) -> Any:
        for partition in self._fetchable_partitions():
            node = self._select_read_replica(partition)
            if self._is_missed(node, partition):
                self._drop(node)
        is_long = self._is_idle()
        self.config["fetch_max_wait_ms"] = _LONG_WAIT_MS if is_long else self._short_wait_ms
        requests = super()._create_fetch_requests()
        if is_long:
            self._waiting_long |= {node: offsets for node, (_, offsets) in requests.items()}
        return requests

    def _is_idle(self) -> bool:
        """Whether a request may wait long: nothing else is to be asked for meanwhile.

        A partition that is not fetchable is paused, or its position is still asked for.
        """
        if not self._may_wait_long or self.unreadable or time.monotonic() < self._long_from:
            return False
        return all(state.is_fetchable() for state in list(self._subscriptions.assignment.values()))

    def _note_activity(self) -> None:
        self._long_from = time.monotonic() + _IDLE_AFTER_S

    def _handle_fetch_response(self, node_id: Any, offsets: Any, sent_at: float, response: Any) -> None:
        if response.responses:
            self._note_activity()
        super()._handle_fetch_response(node_id, offsets, sent_at, response)

    def _clear_pending_fetch_request(self, node_id: Any, _: Any) -> None:
        """Called by the I/O thread at the end of each request, after what came is laid ready."""
        self._waiting_long.pop(node_id, None)
        super()._clear_pending_fetch_request(node_id, _)
        self._something_came.set()

    def _drop_long_waits(self) -> None:
        for node in list(self._waiting_long):
            self._drop(node)

    def _drop(self, node: Any) -> None:
        """End a request with a long wait, and its connection; the next request makes another."""
        if self._waiting_long.pop(node, None) is not None:
            self._manager.close(node)
