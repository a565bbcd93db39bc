"""A join that takes seconds on a cluster with many topics, and a member that is given all of one topic."""

from __future__ import annotations

from typing import Any

from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.protocol.consumer.metadata import ConsumerProtocolAssignment

from ..dealing import Partitions, deal

#: The generation of members that do not say it.
_UNSAID = -1


class Assignor(CooperativeStickyAssignor):  # type: ignore[misc]
    """Deals each topic out by itself (`dealing`), and looks only at topics that members want.

    kafka-python 3.0.12 evens out the sum over all topics: whoever joins may be given all of a quiet one.
    And it weighs all topics of the cluster, in a time that grows with their square: some seconds on a cluster
    with hundreds of topics, at each join, in which no heartbeat is sent.

    The members' protocol is kafka-python's, so members with and without this may be in one group.
    """

    #: The first version in which members say of which generation their partitions are (KIP-792).
    version = 2

    def metadata(self, topics: Any) -> Any:
        """Say what this member owns, and since which generation."""
        said = super().metadata(topics)
        said.generation_id = self.generation
        return said

    def forget(self) -> None:
        """Own nothing any more, as the member has lost its place in the group."""
        self.member_assignment = None

    def assign(self, cluster: Any, members: Any) -> dict[str, Any]:
        """The next assignment of each member, by its id, as the protocol has it.

        A partition that is to move is given to nobody yet: its owner gives it up first, and joins again.
        """
        said = {member.member_id: self.parse_member_metadata(member.metadata) for member in members}
        wanted = {name: set(each.subscription) for name, each in said.items()}
        topics: Partitions = {}
        for topic in sorted(set().union(*wanted.values()) & set(cluster.topics())):
            topics[topic] = sorted(cluster.partitions_for_topic(topic) or ())
        owners = _owners(said)
        owned: dict[str, dict[str, list[int]]] = {name: {} for name in said}
        for (topic, partition), owner in owners.items():
            owned[owner].setdefault(topic, []).append(partition)
        assigned = {}
        for name, by_topic in deal(topics, wanted, owned).items():
            now = [
                (topic, [number for number in numbers if owners.get((topic, number), name) == name])
                for topic, numbers in by_topic.items()
            ]
            assigned[name] = ConsumerProtocolAssignment(
                self.version, [(topic, numbers) for topic, numbers in now if numbers], b""
            )
        return assigned


def _owners(said: dict[str, Any]) -> dict[tuple[str, int], str]:
    """Who owns each partition. Of two that say so, who has joined a later generation: the other lost it.

    Those that do not say their generation, as before version 2, count as being of the latest.
    """

    def joined(name: str) -> tuple[bool, int, str]:
        generation = said[name].generation
        return generation == _UNSAID, generation, name

    return {
        (topic, partition): name
        for name in sorted(said, key=joined)
        for topic, partition in said[name].partitions
    }
