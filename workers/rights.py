"""The least rights on Kafka that each role needs, for a cluster with an authorizer. Pure: no I/O.

Operations have the names of Kafka's own ACLs (org.apache.kafka.common.acl.AclOperation). Producing needs no
right on the cluster: since Kafka 2.8, Write on any topic covers IdempotentWrite (KIP-679).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:  # the command line needs the roles' names alone
    from .topics import Topics, TopicSpec

Role = Literal["worker", "publisher", "operator", "bridge", "web", "creator"]
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class Right:
    """Some operations on a topic or a group, or with ``prefix`` on all whose names begin so."""

    resource: Literal["topic", "group"]
    name: str
    operations: tuple[str, ...]
    prefix: bool = False

    def is_on(self, resource: str, name: str) -> bool:
        """Whether it is one on this topic or group."""
        if self.resource != resource:
            return False
        return name.startswith(self.name) if self.prefix else name == self.name


def needed_rights(role: Role | None, topics: Topics, specs: Collection[TopicSpec]) -> list[Right]:
    """The rights on these topics, which are all of a broker, and on its groups.

    They are those of a role, or without one of a user who sends, works and trims.
    """
    if role is None:
        return [
            *(_topic(spec.name, "Read", "Describe") for spec in specs if spec.is_source),
            *(
                _topic(spec.name, "Read", "Write", "Describe", "Delete")
                for spec in specs
                if not spec.is_source
            ),
            Right("group", f"{topics.namespace}.", ("Read",), prefix=True),
        ]
    sources = [spec.name for spec in specs if spec.is_source]
    logs = [spec.name for spec in specs if spec.is_log and not spec.is_source and not spec.is_optional]
    return rights_of(role, topics, sources, logs)


def operations_on(rights: Iterable[Right], resource: Literal["topic", "group"], name: str) -> list[str]:
    """All operations of these rights on one topic or group."""
    return list(
        dict.fromkeys(one for right in rights if right.is_on(resource, name) for one in right.operations)
    )


def rights_of(role: Role, topics: Topics, sources: Collection[str], logs: Collection[str]) -> list[Right]:
    """The rights of a role in one namespace.

    ``sources`` are topics that queues read and others write, ``logs`` those that workers write and others
    read. A worker runs jobs. A publisher sends them and writes into sources. An operator has the commands and
    the dashboard. A bridge follows sources and logs. The role web is these three in one process. A creator
    makes the topics that are missing, with the command `todo-workers topics`.
    """
    return _RIGHTS[role](topics, sources, logs)


def _worker(topics: Topics, sources: Collection[str], logs: Collection[str]) -> list[Right]:
    return [
        _below(_jobs(topics), "Read", "Write", "Describe", "Delete"),
        _below(topics.delay(""), "Read", "Write", "Describe", "Delete"),
        _topic(topics.dead_letters, "Write", "Describe"),
        *(_topic(name, "Read", "Describe") for name in sources),
        *(_topic(name, "Write", "Describe") for name in logs),
        _topic(topics.control, "Read", "Describe"),
        _topic(topics.fleet, "Write", "Describe"),
        _topic(topics.stats, "Read", "Write", "Describe"),
        Right("group", topics.group(""), ("Read",), prefix=True),
        Right("group", topics.movers, ("Read",)),
    ]


def _publisher(topics: Topics, sources: Collection[str], _logs: Collection[str]) -> list[Right]:
    return [
        _below(_jobs(topics), "Write", "Describe"),
        _below(topics.delay(""), "Write", "Describe"),
        *(_topic(name, "Write", "Describe") for name in sources),
        _all(topics, "Describe"),
    ]


def _operator(topics: Topics, sources: Collection[str], logs: Collection[str]) -> list[Right]:
    return [
        _below(_jobs(topics), "Read", "Write", "Describe", "DescribeConfigs"),
        _below(topics.delay(""), "Read", "Write", "Describe", "DescribeConfigs"),
        _topic(topics.dead_letters, "Read", "Write", "Describe", "DescribeConfigs"),
        _topic(topics.control, "Read", "Write", "Describe", "DescribeConfigs"),
        _topic(topics.actions, "Create", "Read", "Write", "Describe", "DescribeConfigs"),
        *(
            _topic(name, "Read", "Describe", "DescribeConfigs")
            for name in (topics.fleet, topics.stats, *sources, *logs)
        ),
        Right("group", topics.group(""), ("Describe",), prefix=True),
        Right("group", topics.movers, ("Describe",)),
    ]


def _bridge(topics: Topics, sources: Collection[str], logs: Collection[str]) -> list[Right]:
    return [*(_topic(name, "Read", "Describe") for name in (*sources, *logs)), _all(topics, "Describe")]


def _web(topics: Topics, sources: Collection[str], logs: Collection[str]) -> list[Right]:
    parts = (_publisher, _operator, _bridge)
    return _united(right for part in parts for right in part(topics, sources, logs))


def _creator(topics: Topics, sources: Collection[str], logs: Collection[str]) -> list[Right]:
    everything = _all(topics, "Create", "Describe", "DescribeConfigs")
    others = [name for name in (*sources, *logs) if not name.startswith(everything.name)]
    return [everything, *(_topic(name, *everything.operations) for name in others)]


_RIGHTS: dict[Role, Callable[[Topics, Collection[str], Collection[str]], list[Right]]] = {
    "worker": _worker,
    "publisher": _publisher,
    "operator": _operator,
    "bridge": _bridge,
    "web": _web,
    "creator": _creator,
}


def _united(rights: Iterable[Right]) -> list[Right]:
    united: dict[tuple[str, str], Right] = {}
    for right in rights:
        known = united.setdefault((right.resource, right.name), right)
        operations = dict.fromkeys(known.operations + right.operations)
        united[right.resource, right.name] = replace(known, operations=tuple(operations))
    return list(united.values())


def _topic(name: str, *operations: str) -> Right:
    return Right("topic", name, operations)


def _below(start: str, *operations: str) -> Right:
    return Right("topic", start, operations, prefix=True)


def _all(topics: Topics, *operations: str) -> Right:
    """For whoever looks first whether all topics are there, or makes them."""
    return _below(f"{topics.namespace}.", *operations)


def _jobs(topics: Topics) -> str:
    """What the names of the topics of all queues begin with."""
    return topics.jobs("-").removesuffix("-")
