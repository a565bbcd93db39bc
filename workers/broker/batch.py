"""The messages of one block of ``with broker.batch()``, whose confirmations are awaited together."""

from __future__ import annotations

import time
from typing import Any

import dramatiq

from ..errors import BatchNotDelivered, WorkersError
from ..kafka import Cluster, awaited


class Batch:
    """The messages of one ``with broker.batch():`` block."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._sent: list[tuple[dramatiq.Message[Any], Any]] = []

    def add(self, message: dramatiq.Message[Any], future: Any) -> None:
        self._sent.append((message, future))

    def wait(self) -> None:
        """Wait until Kafka has confirmed every message, all within one send time-out.

        Raises BatchNotDelivered.
        """
        deadline = time.monotonic() + self._cluster.send_timeout_s
        failures: list[tuple[dramatiq.Message[Any], WorkersError]] = []
        for message, future in self._sent:
            doing = f"write message {message.message_id} for {message.actor_name}"
            try:
                awaited(future, self._cluster, doing, deadline=deadline)
            except WorkersError as exc:
                failures.append((message, exc))
        if failures:
            raise BatchNotDelivered(failures, len(self._sent)) from failures[0][1]
