"""A poll that looks at every partition, also while there is nothing to do."""

from __future__ import annotations

import time
from typing import Any

from kafka import KafkaConsumer

from .waiting_fetcher import WaitingFetcher


class QuietConsumer(KafkaConsumer):  # type: ignore[misc]
    """Sleeps through the polls in which nothing has come and nothing was changed.

    kafka-python 3.0.12 walks some ten times over all partitions in each poll. What ends the quiet: an answer
    to a request for records, a rebalance, new metadata, and a partition that is resumed or whose position is
    set, and the end of a commit.
    """

    _fetcher: WaitingFetcher

    def poll(self, timeout_ms: float = 0, *args: Any, **options: Any) -> Any:
        if self._fetcher.is_quiet and not self._closed and not self._coordinator.completed_offset_commits:
            until = time.monotonic() + timeout_ms / 1000
            if not self._fetcher.wait_for_news(timeout_ms / 1000):
                return {}
            timeout_ms = max(0, int((until - time.monotonic()) * 1000))
        return super().poll(timeout_ms, *args, **options)

    def commit_async(self, *args: Any, **options: Any) -> Any:
        future = super().commit_async(*args, **options)
        return future.add_both(lambda _: self._fetcher.end_quiet())  # a poll calls the callback of the commit

    def resume(self, *partitions: Any) -> None:
        super().resume(*partitions)
        if partitions:
            self._fetcher.end_quiet()

    def seek(self, *args: Any, **options: Any) -> None:
        super().seek(*args, **options)
        self._fetcher.end_quiet()
