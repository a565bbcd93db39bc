"""A join that takes seconds on a cluster with many topics."""

from __future__ import annotations

from typing import Any

from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor


class Assignor(CooperativeStickyAssignor):  # type: ignore[misc]
    """Weighs the partitions that the group's members want, and no others.

    kafka-python 3.0.12 weighs all of the cluster's, in a time that grows with their square: some seconds on
    a cluster with hundreds of topics, at each join, in which no heartbeat is sent.
    """

    def assign(self, cluster: Any, members: Any) -> Any:
        wanted = {topic for member in members for topic in member.metadata.topics}
        return super().assign(_Part(cluster, wanted), members)


class _Part:
    """The metadata that an assignor asks a cluster for, of some of its topics."""

    def __init__(self, cluster: Any, topics: set[str]) -> None:
        self._topics = topics & set(cluster.topics())
        self.partitions_for_topic = cluster.partitions_for_topic

    def topics(self) -> set[str]:
        return self._topics
