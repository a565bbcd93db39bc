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

#: Rights that a user needs on a topic, to send, to work and to trim.
NEEDED_RIGHTS = ("READ", "WRITE", "DESCRIBE", "DELETE")


@dataclass(frozen=True, slots=True)
class Found:
    """A topic as the cluster has it; ``config`` and ``rights`` are None if the cluster does not say."""

    partitions: int
    replication_factor: int
    config: Mapping[str, str] | None
    rights: frozenset[str] | None


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

    @property
    def missing_rights(self) -> list[str]:
        has = self.found.rights if self.found is not None else None
        if self.hidden:
            has = frozenset()
        if has is None:
            return []
        unneeded: set[str] = set()
        if self.spec.is_source:
            unneeded = {"WRITE", "DELETE"}
        elif self.spec.config.get("cleanup.policy") == "compact" or self.spec.expires:
            unneeded = {"DELETE"}
        return [right for right in NEEDED_RIGHTS if right not in has | unneeded]


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
        hidden = {topic["name"] for topic in described if is_unauthorized(topic["error_code"])}
        brokers = brokers_of(admin)
        configs = _configs(admin, [spec.on(brokers) for spec in specs if spec.name in present])
    return [
        Checked(
            spec,
            _found(present[spec.name], configs.get(spec.name)) if spec.name in present else None,
            spec.name in hidden,
            brokers,
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
    rights = topic.get("authorized_operations")
    return Found(
        partitions=len(partitions),
        replication_factor=min(len(partition["replica_nodes"]) for partition in partitions),
        config=config,
        rights=None if rights is None else frozenset(rights),
    )
