"""What is asked of the cluster itself: topics, and what the user may do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import kafka.errors
from kafka.admin import KafkaAdminClient

from ..errors import TopicsMissing
from ..topics import TopicSpec
from .clients import connect_admin, patiently
from .cluster import Cluster
from .error_translation import kafka_errors


def create_missing_topics(cluster: Cluster, specs: Iterable[TopicSpec]) -> list[str]:
    """Create the topics of ``specs`` that do not exist, and return their names; others are left as they are.

    Raises:
        TopicsMissing: the user may not create topics; the text names those that are missing.
        KafkaUnreachable: no answer in time.
    """
    wanted = {spec.name: spec for spec in specs}
    with connect_admin(cluster) as admin, kafka_errors(cluster, "look up topics"):
        described = admin.describe_topics(sorted(wanted))
        present = {topic["name"] for topic in described if topic["error_code"] == 0}
        missing = sorted(wanted.keys() - present)
        if missing:
            _create_topics(admin, cluster, [wanted[name] for name in missing])
    return missing


def _create_topics(admin: KafkaAdminClient, cluster: Cluster, specs: list[TopicSpec]) -> None:
    request = {
        spec.name: {
            "num_partitions": spec.partitions,
            "replication_factor": spec.replication_factor or -1,
            "configs": dict(spec.config),
        }
        for spec in specs
    }
    response = admin.create_topics(request, raise_errors=False)
    refused = []
    for topic in response["topics"]:
        error = kafka.errors.for_code(topic["error_code"])
        # Another process may have created it in the same moment.
        if error not in (kafka.errors.NoError, kafka.errors.TopicAlreadyExistsError):
            refused.append(f"{topic['name']} ({topic['error_message'] or error.__name__})")
    if refused:
        raise TopicsMissing(
            f"Kafka at {cluster.address} lacks topics and {cluster.user} cannot create them: "
            f"{', '.join(refused)}; create them, or grant Create on the cluster"
        )
    admin.wait_for_topics([spec.name for spec in specs], timeout_ms=int(cluster.send_timeout_s * 1000))


def cluster_rights(cluster: Cluster) -> frozenset[str] | None:
    """What the user may do on the cluster, such as CREATE; None where it does not tell. Raises ours."""
    with connect_admin(cluster) as admin, kafka_errors(cluster, "describe the cluster"):
        rights = admin.describe_cluster()["authorized_operations"]
    return None if rights is None else frozenset(rights)


def group_rights(cluster: Cluster, group: str) -> frozenset[str]:
    """What the user may do with a consumer group, such as READ. Raises ours."""

    def read() -> Any:
        try:
            found = admin.describe_groups([group], include_authorized_operations=True)[group]
        except kafka.errors.GroupAuthorizationFailedError:
            return ()
        # A group that is not there, or that its coordinator does not have yet, is told of in words.
        rights = found["authorized_operations"]
        if rights is None and "NotCoordinator" in str(found.get("error")):
            raise kafka.errors.NotCoordinatorError(group)
        return rights if rights is not None else ("READ",)

    with connect_admin(cluster) as admin:
        return frozenset(patiently(cluster, f"describe the group {group}", read))
