"""Tries what the pool needs of a Kafka cluster and some managed ones do not have, or do not allow.

Nothing is changed by it: records are deleted below the first one, and topics are only validated.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from ..errors import NotAuthorized, NotSupported, WorkersError
from ..topics import TopicSpec
from . import (
    Cluster,
    ConfigResource,
    KafkaAdminClient,
    TopicPartition,
    brokers_of,
    connect_admin,
    existing_topics,
    kafka_errors,
)
from .creation.plainer import accepts, consequence, may_be_left_out
from .producing.idempotence import why_not_idempotent

logger = logging.getLogger(__name__)

#: Settings of topics that change what the pool does where they are not there: workers tell so.
_SETTINGS = ("message.timestamp.type", "cleanup.policy")
#: What is only validated is named like a topic of ours.
_TRIED = "tried-by-doctor"


@dataclass(frozen=True, slots=True)
class Lack:
    """What a cluster does not do for this user, and what the pool does without it.

    ``setting`` is one of topics that it refuses, with the value. ``is_made_up_for``: nothing is lost, and
    nothing grows for ever.
    """

    text: str
    setting: tuple[str, str] | None = None
    is_made_up_for: bool = True


def tell_lacks(cluster: Cluster, specs: Sequence[TopicSpec]) -> None:
    """Log a line for each thing that these topics lack, and that this user may know. Blocks; never raises."""
    try:
        with connect_admin(cluster) as admin, kafka_errors(cluster, "look at topics"):
            present = _present(admin, specs)
            found = [*_trimming(cluster, admin, present), *_differing(admin, present)]
    except WorkersError as exc:
        logger.debug("what the cluster lacks is not known: %s", exc)
        return
    for lack in found:
        logger.warning("Kafka at %s: %s", cluster.address, lack.text)


def lacks(
    cluster: Cluster, specs: Sequence[TopicSpec], *, deletes: bool = True, writes: bool = True
) -> list[Lack]:
    """Try what the pool asks of a cluster; returns what it lacks. Raises KafkaUnreachable or NotAuthorized.

    ``deletes``, ``writes``: also try what only users need who delete records, or write some.
    """
    found: list[Lack] = []
    with connect_admin(cluster) as admin, kafka_errors(cluster, "try what the cluster can do"):
        if deletes:
            found += _trimming(cluster, admin, _present(admin, specs))
        for name, value in _refused(admin, specs):
            found.append(Lack(f"{name}={value} is refused: {consequence(name)}", (name, value)))
    why = why_not_idempotent(cluster) if writes else None
    if why is not None:
        text = "no producer ids are given: records may be written twice when an answer is lost"
        found.append(Lack(f"{text} ({why})"))
    return found


def refused_settings(cluster: Cluster, specs: Sequence[TopicSpec]) -> frozenset[tuple[str, str]]:
    """The settings, each with its value, that topics are made without.

    Raises KafkaUnreachable or NotAuthorized.
    """
    with connect_admin(cluster) as admin, kafka_errors(cluster, "try what topics may have"):
        return frozenset(_refused(admin, specs))


def _present(admin: KafkaAdminClient, specs: Sequence[TopicSpec]) -> list[TopicSpec]:
    existing = existing_topics(admin, {spec.name for spec in specs})
    return [spec for spec in specs if spec.name in existing]


def _trimming(cluster: Cluster, admin: KafkaAdminClient, present: Sequence[TopicSpec]) -> Iterator[Lack]:
    jobs = (spec for spec in present if spec.has_jobs)
    tried = min(jobs, key=attrgetter("name"), default=None)
    if tried is None:
        return
    try:
        with kafka_errors(cluster, f"delete what is done from topic {tried.name}"):
            admin.delete_records({TopicPartition(tried.name, 0): 0})
    except (NotAuthorized, NotSupported) as exc:
        if tried.expires:
            yield Lack(f"jobs are deleted by their age alone, done or not (KAFKA_JOBS_RETENTION): {exc}")
        else:
            text = "jobs that are done stay, and their topics grow; grant Delete, or set KAFKA_JOBS_RETENTION"
            yield Lack(f"{text}: {exc}", is_made_up_for=False)


def _differing(admin: KafkaAdminClient, present: Sequence[TopicSpec]) -> Iterator[Lack]:
    """What the topics that exist do not have, as far as this user may see their configuration."""
    wanted = {name: [spec for spec in present if name in spec.config] for name in _SETTINGS}
    topics = sorted({spec.name for of in wanted.values() for spec in of})
    if not topics:
        return
    resources = [ConfigResource("TOPIC", name, list(_SETTINGS)) for name in topics]
    configs: Mapping[str, Mapping[str, Mapping[str, object]]] = admin.describe_configs(
        resources, config_filter="all"
    )["topic"]
    for name, those in wanted.items():
        lacking = [
            spec.name
            for spec in those
            if (entry := configs.get(spec.name, {}).get(name)) and entry["value"] != spec.config[name]
        ]
        if lacking:
            yield Lack(f"{', '.join(lacking)} without {name} as wanted: {consequence(name)}")


def _refused(admin: KafkaAdminClient, specs: Sequence[TopicSpec]) -> Iterator[tuple[str, str]]:
    """The settings that no new topic could have. A user who may not create topics cannot know."""
    tried: set[tuple[str, str]] = set()
    brokers = brokers_of(admin)
    for spec in (each.on(brokers) for each in specs):
        wanted = {pair for pair in spec.config.items() if may_be_left_out(*pair)} - tried
        plain = TopicSpec(f"{spec.name}.{_TRIED}", 1, spec.replication_factor)
        if not wanted or not accepts(admin, plain):
            continue
        tried |= wanted
        for name, value in sorted(wanted):
            if accepts(admin, replace(plain, config={name: value})) is False:
                yield name, value
