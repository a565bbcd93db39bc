"""Compares the topics that a broker needs with those on the cluster."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..kafka import (
    Cluster,
    ConfigResource,
    KafkaAdminClient,
    brokers_of,
    connect_admin,
    is_unauthorized,
    kafka_errors,
)
from ..topics import TUNING, TopicSpec

#: Each of these operations lets a user see the topic.
_SHOWING = ("Read", "Write", "Describe", "Delete")


@dataclass(frozen=True, slots=True)
class Found:
    """A topic as the cluster has it; ``config`` is None if the cluster does not say."""

    partitions: int
    replication_factor: int
    config: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Checked:
    """A needed topic, and what was found. ``hidden``: the user may not know whether it exists."""

    spec: TopicSpec
    found: Found | None
    hidden: bool = False
    #: How many brokers the cluster has.
    brokers: int = 1
    #: The settings, with their values, that the cluster gives to no topic.
    refused: frozenset[tuple[str, str]] = frozenset()
    #: What the user may do with it, such as READ, be it there or not; None if the cluster does not say.
    rights: frozenset[str] | None = None

    @property
    def differences(self) -> list[str]:
        """What differs from what the broker would create, and matters. More partitions are no difference."""
        return [] if self.found is None else compare(self.spec, self.found, self.brokers, self.refused)

    @property
    def hint(self) -> str:
        """The command that keeps an optional topic as small as a new one; empty if there is nothing to say.

        A topic that exists is never changed, so one of an earlier version has that version's settings.
        """
        if self.found is None or not self.spec.is_optional:
            return ""
        differing = _differing(self.spec, self.found, self.refused)
        wanted = ",".join(f"{name}={value}" for name, value in differing.items() if name in TUNING)
        if not wanted:
            return ""
        return (
            "kafka-configs --bootstrap-server ... --alter --entity-type topics "
            f"--entity-name {self.spec.name} --add-config {wanted}"
        )

    def without(self, refused: Iterable[tuple[str, str]]) -> Checked:
        """The same as if nobody wanted these settings with these values."""
        return replace(self, refused=self.refused | frozenset(refused))

    def lacking(self, operations: Iterable[str]) -> list[str]:
        """Those of the operations, by their names in ACLs, that are needed here and that the user may not do.

        Delete is not needed where Kafka deletes by itself.
        """
        deletes_itself = self.spec.config.get("cleanup.policy") == "compact" or self.spec.expires
        needed = [one for one in operations if not (one == "Delete" and deletes_itself)]
        if self.hidden:  # it is not known whether the user may do anything else
            return [one for one in needed if one in _SHOWING]
        if self.rights is None:
            return []
        given = {right.replace("_", "") for right in self.rights}
        return [one for one in needed if one.upper() not in given]


def compare(
    spec: TopicSpec, found: Found, brokers: int = 1, refused: Collection[tuple[str, str]] = ()
) -> list[str]:
    """The settings of ``found`` that differ from ``spec`` on a cluster of so many brokers, in words.

    More copies than the pool would choose are no difference, unless a number was asked for; nor is what the
    cluster has refused, or how small an optional topic is kept.
    """
    wanted = spec.on(brokers)
    differences = []
    if found.partitions < wanted.partitions:
        differences.append(f"partitions {found.partitions}, wanted {wanted.partitions}")
    copies, wanted_copies = found.replication_factor, wanted.replication_factor
    if wanted_copies is not None and (
        copies < wanted_copies if spec.replication_factor is None else copies != wanted_copies
    ):
        differences.append(f"replication {copies}, wanted {wanted_copies}")
    config = found.config or {}
    differences += [
        f"{name}={config.get(name, 'unknown')}, wanted {value}"
        for name, value in _differing(wanted, found, refused).items()
        if not (spec.is_optional and name in TUNING)
    ]
    return differences


def _differing(wanted: TopicSpec, found: Found, refused: Collection[tuple[str, str]]) -> dict[str, str]:
    """The settings, as wanted, that the topic does not have; none if it is not known which it has."""
    config = found.config
    if config is None:
        return {}
    return {
        name: value
        for name, value in wanted.config.items()
        if (name, value) not in refused and not _fits(name, config.get(name), value)
    }


def _fits(name: str, value: str | None, wanted: str) -> bool:
    if name == "min.insync.replicas" and value is not None and value.isdecimal():
        return int(value) >= int(wanted)
    return value == wanted


def check(cluster: Cluster, specs: Sequence[TopicSpec]) -> list[Checked]:
    """Look the topics up. Raises KafkaUnreachable or NotAuthorized."""
    with connect_admin(cluster) as admin, kafka_errors(cluster, "look up topics"):
        described = admin.describe_topics([spec.name for spec in specs])
        present = {topic["name"]: topic for topic in described if topic["error_code"] == 0}
        rights = {topic["name"]: topic.get("authorized_operations") for topic in described}
        hidden = {topic["name"] for topic in described if is_unauthorized(topic["error_code"])}
        brokers = brokers_of(admin)
        configs = _configs(admin, [spec.on(brokers) for spec in specs if spec.name in present])
    return [
        Checked(
            spec,
            _found(present[spec.name], configs.get(spec.name)) if spec.name in present else None,
            spec.name in hidden,
            brokers,
            rights=None if (given := rights.get(spec.name)) is None else frozenset(given),
        )
        for spec in specs
    ]


def _configs(admin: KafkaAdminClient, specs: Sequence[TopicSpec]) -> dict[str, dict[str, str]]:
    if not specs:
        return {}
    resources = [ConfigResource("TOPIC", spec.name, list(spec.config)) for spec in specs]
    described = admin.describe_configs(resources, config_filter="all")["topic"]
    return {
        name: {key: str(entry["value"]) for key, entry in entries.items()}
        for name, entries in described.items()
        if entries  # there are none for a user without the right DescribeConfigs
    }


def _found(topic: Mapping[str, Any], config: Mapping[str, str] | None) -> Found:
    partitions = topic["partitions"]
    return Found(
        partitions=len(partitions),
        replication_factor=min(len(partition["replica_nodes"]) for partition in partitions),
        config=config,
    )
