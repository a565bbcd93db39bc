"""Deletes records and asks for brokers, topics, partitions and rights, by requests to the cluster."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import kafka.errors
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.protocol.consumer import IsolationLevel

from .calls import patiently
from .clients import connect_admin
from .cluster import Cluster
from .error_translation import kafka_errors

#: The errors with which a group's coordinator says that it does not know the group yet, or not any more.
_COORDINATOR_ERRORS = (
    "NotCoordinatorError",
    "CoordinatorNotAvailableError",
    "CoordinatorLoadInProgressError",
)


def brokers_of(admin: KafkaAdminClient) -> int:
    """How many brokers the cluster has, those that are down just now included, if it tells them.

    Raises kafka-python's errors.
    """
    return len(admin.describe_cluster()["brokers"])


def existing_topics(admin: KafkaAdminClient, names: Iterable[str]) -> set[str]:
    """Those of the topics that exist, and that the user may see. Raises kafka-python's errors."""
    return {topic["name"] for topic in admin.describe_topics(sorted(names)) if topic["error_code"] == 0}


def cluster_rights(cluster: Cluster) -> frozenset[str] | None:
    """The operations that the user may do on the cluster, such as CREATE; None if it does not say.

    Raises KafkaUnreachable or NotAuthorized.
    """
    with connect_admin(cluster) as admin, kafka_errors(cluster, "describe the cluster"):
        rights = admin.describe_cluster()["authorized_operations"]
    return None if rights is None else frozenset(rights)


def described_groups(
    admin: KafkaAdminClient, groups: Collection[str], **options: Any
) -> Mapping[str, Mapping[str, Any]]:
    """The groups as `describe_groups` tells them. Raises kafka-python's errors.

    Also if their coordinator does not know them yet: there, that is a text beside an empty list of members.
    """
    found: Mapping[str, Mapping[str, Any]] = admin.describe_groups(groups, **options)
    for group, described in found.items():
        error = str(described.get("error"))
        if any(name in error for name in _COORDINATOR_ERRORS):
            raise kafka.errors.NotCoordinatorError(f"group {group}: {error}")
    return found


def group_rights(cluster: Cluster, group: str) -> frozenset[str] | None:
    """The operations that the user may do with a consumer group, such as READ; None if it does not say.

    Raises KafkaUnreachable or NotAuthorized.
    """

    def read() -> Any:
        try:
            found = described_groups(admin, [group], include_authorized_operations=True)[group]
        except kafka.errors.GroupAuthorizationFailedError:
            return ()
        return found["authorized_operations"]

    with connect_admin(cluster) as admin:
        found = patiently(cluster, f"describe the group {group}", read)
    return None if found is None else frozenset(found)


def delete_all_records(cluster: Cluster, topics: Iterable[str]) -> None:
    """Delete all records that the topics hold now. Raises KafkaUnreachable or NotAuthorized."""
    names = list(topics)

    def delete() -> None:
        partitions = partitions_of(admin, names)
        ends = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.LATEST))
        _delete(admin, {partition: end.offset for partition, end in ends.items()})

    with connect_admin(cluster) as admin:
        patiently(cluster, f"delete records of {', '.join(names)}", delete)


def delete_records_below(cluster: Cluster, limits: Mapping[TopicPartition, int]) -> None:
    """Delete the records below an offset of each partition. Raises KafkaUnreachable or NotAuthorized."""
    names = sorted({partition.topic for partition in limits})
    with connect_admin(cluster) as admin:
        patiently(cluster, f"delete records of {', '.join(names)}", lambda: _delete(admin, limits))


def partitions_of(admin: KafkaAdminClient, topics: Iterable[str]) -> list[TopicPartition]:
    """The partitions of the topics that exist. Raises kafka-python's errors."""
    return [
        TopicPartition(topic["name"], partition["partition_index"])
        for topic in admin.describe_topics(list(topics))
        for partition in topic["partitions"]
    ]


def stable_ends(admin: KafkaAdminClient, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
    """Where each partition's log ends for a reader of committed records: at the first open transaction.

    Raises kafka-python's errors.
    """
    wanted = dict.fromkeys(partitions, OffsetSpec.LATEST)
    ends = admin.list_partition_offsets(wanted, isolation_level=IsolationLevel.READ_COMMITTED)
    return {partition: end.offset for partition, end in ends.items()}


def _delete(admin: KafkaAdminClient, limits: Mapping[TopicPartition, int]) -> None:
    filled = {partition: offset for partition, offset in limits.items() if offset > 0}
    if filled:
        admin.delete_records(filled)
