"""Finds what is not done and will soon be deleted by Kafka, because it gets too old."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from ..kafka import ConfigResource, KafkaAdminClient
from ..records.consumed import ConsumedRecord, age_s

#: Share of a topic's retention from which on a record is near its end.
_NEAR = 0.75
#: How long what a topic's retention was counts as what it is.
_FRESH_S = 60.0
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Expiring:
    """The first record of a partition that is not done, if Kafka deletes it soon."""

    topic: str
    partition: int
    offset: int
    age_s: float
    retention_s: float

    def __str__(self) -> str:
        left = self.retention_s - self.age_s
        when = f"in {_days(left)}" if left > 0 else "at any moment"
        return (
            f"{self.topic}/{self.partition} at offset {self.offset} is not done after "
            f"{_days(self.age_s)}, and Kafka deletes it {when}, as the topic keeps records for "
            f"{_days(self.retention_s)}: have it done, or let the topic keep them for longer (retention.ms "
            "by kafka-configs; KAFKA_JOBS_RETENTION is for new topics of jobs)"
        )


def expiring(
    undone: Iterable[ConsumedRecord], retention_s: Mapping[str, float], now_s: float
) -> list[Expiring]:
    """Those of the undone records that are near their topic's retention; none without a time. Pure."""
    found = []
    for record in undone:
        old_s, kept_s = age_s(record, now_s), retention_s.get(record.topic)
        if kept_s is not None and old_s is not None and old_s >= _NEAR * kept_s:
            found.append(Expiring(record.topic, record.partition, record.offset, old_s, kept_s))
    return found


class Retentions:
    """Knows for how long topics keep their records; asks Kafka once a minute at most. For one thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._read_at: dict[str, float] = {}
        self._found: dict[str, float] = {}

    def of(self, admin: KafkaAdminClient, topics: Collection[str]) -> Mapping[str, float]:
        """Seconds for those that do not keep all, and that this user may look at.

        Raises kafka-python's errors.
        """
        now = self._clock()
        stale = [topic for topic in topics if now - self._read_at.get(topic, -_FRESH_S) >= _FRESH_S]
        if stale:
            resources = [ConfigResource("TOPIC", topic, ["retention.ms"]) for topic in stale]
            described = admin.describe_configs(resources, config_filter="all")["topic"]
            for topic in stale:
                self._read_at[topic] = now
                self._note(topic, described.get(topic) or {})
        return self._found

    def _note(self, topic: str, config: Mapping[str, Mapping[str, object]]) -> None:
        self._found.pop(topic, None)
        value = str(config.get("retention.ms", {}).get("value", "-1"))
        if value.isdecimal():
            self._found[topic] = int(value) / 1000


def _days(seconds: float) -> str:
    if seconds >= 2 * _DAY_S:
        return f"{seconds / _DAY_S:.1f} days"
    return f"{seconds / 3_600:.1f} hours"
