"""Counts the jobs that this process sends. It is in the path of every send."""

from __future__ import annotations

import threading

from .families import Family, Labels
from .metrics import add_source, bounded


class SendCounts:
    """How many jobs were sent, by queue and actor. Safe for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[Labels, float] = {}

    def add(self, queue: str, actor: str) -> None:
        """Note that a job was sent."""
        labels: Labels = (queue, actor)
        with self._lock:
            if labels in self._counts:
                self._counts[labels] += 1
            else:
                labels = bounded(labels, len(self._counts))
                self._counts[labels] = self._counts.get(labels, 0) + 1

    def families(self) -> list[Family]:
        """The counts for Prometheus."""
        with self._lock:
            series = {labels: (count,) for labels, count in self._counts.items()}
        return [
            Family("workers_enqueued_total", "counter", "Jobs that were sent.", ("queue", "actor"), series)
        ]


#: The jobs that this process sends.
SENDS = SendCounts()
add_source(SENDS.families)
