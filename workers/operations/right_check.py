"""Compares the rights that a cluster gives a user with those that are needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ..broker.kafka_broker import KafkaBroker
from ..display.lists import few
from ..errors import WorkersError
from ..kafka import cluster_rights, group_rights
from ..rights import Right, Role, needed_rights, operations_on
from ..topics import actions_spec
from .topic_check import Checked, check


def check_rights(broker: KafkaBroker, checked: Sequence[Checked], role: Role | None) -> str:
    """Say that the user has all rights of a role, or without one those to send, to work and to trim.

    Raises WorkersError, which says what is lacking, KafkaUnreachable or NotAuthorized.
    """
    cluster, topics = broker.cluster, broker.topics
    rights = needed_rights(role, topics, [topic.spec for topic in checked])
    if role is not None:
        checked = [*checked, *check(cluster, [actions_spec(topics)])]
    if "CREATE" in (cluster_rights(cluster) or ()):  # which includes Create on each topic
        rights = [_without_create(right) for right in rights]
    used = [topic for topic in checked if operations_on(rights, "topic", topic.spec.name)]
    groups = {
        group: group_rights(cluster, group)
        for group in (*map(topics.group, broker.queues), topics.movers)
        if operations_on(rights, "group", group)
    }
    problems = lacking(rights, used, groups)
    if problems:
        lack = f"{cluster.user} lacks {'; '.join(problems)}: grant it with kafka-acls"
        if role is not None:
            raise WorkersError(f"{lack}; todo-workers topics --format strimzi prints all rights of each role")
        note = "; without Delete what is done stays on disk" if "Delete on" in lack else ""
        raise WorkersError(
            f"{lack}, best on the prefix {topics.namespace}.{note}; "
            "for a user of one role, --role asks for the rights of that role alone"
        )
    if role is None:
        return f"{cluster.user} may read, write and trim {len(used)} topics, and join {len(groups)} groups"
    return f"{cluster.user} has all rights of the role {role} on {len(used)} topics and {len(groups)} groups"


def lacking(
    rights: Iterable[Right], checked: Iterable[Checked], groups: Mapping[str, Iterable[str] | None]
) -> list[str]:
    """What of these rights the user lacks on topics and groups, in words.

    ``groups`` has the operations that the cluster allows on each, such as READ; None if it does not say.
    """
    rights = list(rights)
    on_topics: dict[str, list[str]] = {}
    on_groups: dict[str, list[str]] = {}
    for topic in checked:
        for operation in topic.lacking(operations_on(rights, "topic", topic.spec.name)):
            on_topics.setdefault(operation, []).append(topic.spec.name)
    for group, given in groups.items():
        for operation in operations_on(rights, "group", group):
            if given is not None and operation.upper() not in given:
                on_groups.setdefault(operation, []).append(group)
    return [
        *(f"{operation} on {few(names)}" for operation, names in on_topics.items()),
        *(f"{operation} on the groups {few(names)}" for operation, names in on_groups.items()),
    ]


def _without_create(right: Right) -> Right:
    return replace(right, operations=tuple(one for one in right.operations if one != "Create"))
