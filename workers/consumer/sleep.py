"""Lets the consumer of an idle queue wait for longer than dramatiq asks it to.

dramatiq's thread looks whether it is to stop, or to pause, each time its consumer has waited for a second in
vain: with fifty queues, a process would wake fifty times a second for it. Here the thread that sends the
heartbeats of all consumers looks in its place.
"""

from __future__ import annotations

import threading

from dramatiq.worker import ConsumerThread

from ..kafka import KafkaConsumer

#: Longest time that a consumer waits for a job, without any chores.
_LONGEST_S = 10.0


class Sleep:
    """Waits while there is nothing to do, for the thread that makes it, if that is one of dramatiq's."""

    def __init__(self, client: KafkaConsumer) -> None:
        self._client = client
        thread = threading.current_thread()
        self._may_be_long = isinstance(thread, ConsumerThread)
        if isinstance(thread, ConsumerThread):
            client.must_wake = lambda: thread.paused or not thread.running

    def __call__(self, longest_s: float) -> bool:
        """Wait while there is nothing to poll for; True if there may be something, so that a poll must look.

        It waits for ``longest_s``, and for ten seconds, at most; on a thread that is not dramatiq's, not at
        all. It also returns, with False, once the thread of the heartbeats has seen that this one is to stop
        or to pause: it looks twice a second.
        """
        if longest_s <= 0 or not self._may_be_long:
            return True
        return bool(self._client.sleep(min(longest_s, _LONGEST_S)))
