"""Rights of the user alice on the Kafka that has an authorizer."""

from __future__ import annotations

from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)

from tests.helpers.waiting import wait_for
from workers import Cluster
from workers.kafka import connect_admin


def grant(
    admin: Cluster, resource: ResourceType, name: str, *operations: ACLOperation, prefixed: bool = False
) -> None:
    """Let alice do that with a resource, or with all whose names begin so; returns once it is in force.

    Kafka answers before it has told its authorizer.
    """
    kind = ACLResourcePatternType.PREFIXED if prefixed else ACLResourcePatternType.LITERAL
    pattern = ResourcePattern(resource, name, kind)
    wanted = {ACL("User:alice", "*", operation, ACLPermissionType.ALLOW, pattern) for operation in operations}
    everything = ACLFilter(
        "User:alice",
        "*",
        ACLOperation.ANY,
        ACLPermissionType.ALLOW,
        ResourcePatternFilter(resource, name, kind),
    )
    with connect_admin(admin) as client:
        client.create_acls(list(wanted))
        wait_for(lambda: wanted <= set(client.describe_acls(everything)[0]), timeout_s=30)
