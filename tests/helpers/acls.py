"""Rights of users on the Kafka that has an authorizer."""

from __future__ import annotations

import re
from collections.abc import Iterable

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
from workers.rights import Right

_SNAKE = re.compile(r"(?<=[a-z])(?=[A-Z])")


def grant(
    admin: Cluster,
    resource: ResourceType,
    name: str,
    *operations: ACLOperation,
    prefixed: bool = False,
    user: str = "alice",
) -> None:
    """Let a user do that with a resource, or with all whose names begin so; returns once it is in force.

    Kafka answers before it has told its authorizer.
    """
    kind = ACLResourcePatternType.PREFIXED if prefixed else ACLResourcePatternType.LITERAL
    pattern = ResourcePattern(resource, name, kind)
    wanted = {
        ACL(f"User:{user}", "*", operation, ACLPermissionType.ALLOW, pattern) for operation in operations
    }
    everything = ACLFilter(
        f"User:{user}",
        "*",
        ACLOperation.ANY,
        ACLPermissionType.ALLOW,
        ResourcePatternFilter(resource, name, kind),
    )
    with connect_admin(admin) as client:
        client.create_acls(list(wanted))
        wait_for(lambda: wanted <= set(client.describe_acls(everything)[0]))


def grant_all(admin: Cluster, user: str, rights: Iterable[Right]) -> None:
    """Give a user these rights."""
    for right in rights:
        operations = [ACLOperation[_SNAKE.sub("_", one).upper()] for one in right.operations]
        resource = ResourceType[right.resource.upper()]
        grant(admin, resource, right.name, *operations, prefixed=right.prefix, user=user)
