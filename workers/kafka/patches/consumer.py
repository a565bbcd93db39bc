"""A poll that looks at every partition, also while there is nothing to do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from kafka import KafkaConsumer

from .fetching.waiting import WaitingFetcher

#: How often a topic's metadata is asked for: the first answer may be one to an earlier question.
_LOOK_UPS = 2


class QuietConsumer(KafkaConsumer):  # type: ignore[misc]
    """Sleeps through the polls in which nothing has come and nothing was changed, and always disconnects.

    kafka-python 3.0.12 walks some ten times over all partitions in each poll. What ends the quiet: an answer
    to a request for records, a rebalance, new metadata, and a partition that is resumed or whose position is
    set, and the end of a commit.

    It also stays connected, for good, when leaving its group raises, as a listener may do.
    """

    _fetcher: WaitingFetcher
    #: How many whole polls there have been. What the consumer has read, and its partitions, change in those
    #: alone: what the I/O thread finds out between them ends the quiet.
    polls = 0
    #: Called before it leaves the group.
    on_close: Callable[[], None] = staticmethod(lambda: None)
    #: Called on the I/O thread when Kafka has confirmed a commit, with its offsets and the seconds it took.
    on_committed: Callable[[Any, float], None] = staticmethod(lambda _offsets, _took_s: None)

    #: Asked twice a second, on another thread, by `Heartbeats`: whether `sleep` must end.
    must_wake: Callable[[], bool] = staticmethod(lambda: False)
    _is_woken = False

    def close(self, *args: Any, **options: Any) -> None:
        self.on_close()
        try:
            super().close(*args, **options)
        finally:
            self._client.close()

    def poll(self, timeout_ms: float = 0, *args: Any, **options: Any) -> Any:
        if self._fetcher.is_quiet and not self._closed and not self._coordinator.completed_offset_commits:
            until = time.monotonic() + timeout_ms / 1000
            self._coordinator.poll_heartbeat()  # the group's limit for the time between two polls
            if not self._fetcher.wait_for_news(timeout_ms / 1000):
                return {}
            timeout_ms = max(0, int((until - time.monotonic()) * 1000))
        self.polls += 1
        return super().poll(timeout_ms, *args, **options)

    def sleep(self, timeout_s: float) -> bool:
        """Wait until a poll has something to do; False if that is not so in time, or `must_wake` says so.

        It counts as a poll for the group's limit of the time between two, of which it takes at most a half.
        """
        if not self._fetcher.is_quiet or self._closed or self._coordinator.completed_offset_commits:
            return True
        self._coordinator.poll_heartbeat()
        self._is_woken = False
        timeout_s = min(timeout_s, self.config["max_poll_interval_ms"] / 2000)
        return self._fetcher.wait_for_news(timeout_s) and not self._is_woken

    def wake_if_due(self) -> None:
        """End `sleep` if `must_wake` says so. For another thread; does not block."""
        if self.must_wake():
            self._is_woken = True
            self._fetcher.end_quiet()

    def partitions_for_topic(self, topic: str) -> Any:
        """As kafka-python's, which asks for all topics of the cluster where its own will do."""
        cluster = self._cluster
        for _ in range(_LOOK_UPS):
            if topic in cluster._topics and cluster.partitions_for_topic(topic) is None:
                self._net.run(self._manager.wait_for, cluster.request_update(), None)
        return super().partitions_for_topic(topic)

    def commit_async(self, offsets: Any, *args: Any, **options: Any) -> Any:
        began_at = time.monotonic()
        future = super().commit_async(offsets, *args, **options)
        future.add_callback(lambda _: self.on_committed(offsets, time.monotonic() - began_at))
        return future.add_both(lambda _: self._fetcher.end_quiet())  # a poll calls the callback of the commit

    def resume(self, *partitions: Any) -> None:
        super().resume(*partitions)
        if partitions:
            self._fetcher.end_quiet()

    def seek(self, *args: Any, **options: Any) -> None:
        super().seek(*args, **options)
        self._fetcher.end_quiet()
