"""The messages of one block of ``with broker.batch()``, whose confirmations are awaited together."""

from __future__ import annotations

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
        """Wait until Kafka has confirmed every message. Raises BatchNotDelivered."""
        failures: list[tuple[dramatiq.Message[Any], WorkersError]] = []
        for message, future in self._sent:
            try:
                awaited(future, self._cluster, f"write message {message.message_id} for {message.actor_name}")
            except WorkersError as exc:
                failures.append((message, exc))
        if failures:
            raise BatchNotDelivered(failures, len(self._sent)) from failures[0][1]
