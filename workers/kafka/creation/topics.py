"""Creates the topics that are missing."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

import kafka.errors
from kafka.admin import KafkaAdminClient

from ...display.lists import few
from ...errors import TopicsMissing
from ...topics import COPIES, MIN_COPIES, TopicSpec
from ..administration import brokers_of, existing_topics
from ..clients import connect_admin
from ..cluster import Cluster
from ..error_translation import kafka_errors
from .plainer import REFUSED, consequence, plainer, request_for

logger = logging.getLogger(__name__)

#: What Kafka said about a topic: the error's class, and its text.
_Refusal = tuple[type[kafka.errors.KafkaError], str]


def create_missing_topics(cluster: Cluster, specs: Iterable[TopicSpec]) -> list[str]:
    """Create the topics of ``specs`` that do not exist, and return their names; others are left as they are.

    An optional topic that the user may not create is left out, and logged. So are settings that the cluster
    refuses and that no job is lost without, one line for each, and topics that are not optional and get too
    few copies.

    Raises:
        TopicsMissing: the user may not create topics; the text names those that are missing.
        KafkaUnreachable: no answer in time.
    """
    wanted = {spec.name: spec for spec in specs}
    with connect_admin(cluster) as admin, kafka_errors(cluster, "look up topics"):
        missing = sorted(wanted.keys() - existing_topics(admin, wanted))
        if missing:
            brokers = brokers_of(admin)
            created = _create(admin, cluster, [wanted[name].on(brokers) for name in missing])
            if brokers > 1:
                _tell_few_copies(admin, cluster, [wanted[name] for name in created])
            return created
    return missing


def _create(admin: KafkaAdminClient, cluster: Cluster, specs: Sequence[TopicSpec]) -> list[str]:
    refused = _ask_for(admin, specs)
    left_out: dict[tuple[str, str], list[str]] = {}
    for spec in specs:
        if spec.name in refused and issubclass(refused[spec.name][0], REFUSED):
            plain = plainer(admin, spec)
            if plain is not None and not _ask_for(admin, [plain]):
                why = refused.pop(spec.name)[1]
                for name, _ in spec.config.items() - plain.config.items():
                    left_out.setdefault((name, why), []).append(spec.name)
    for (name, why), topics in sorted(left_out.items()):
        logger.warning(
            "Kafka at %s refuses %s for %s: %s (%s)",
            cluster.address,
            name,
            few(topics),
            consequence(name),
            why,
        )
    _require(cluster, specs, refused)
    created = [spec.name for spec in specs if spec.name not in refused]
    if created:
        admin.wait_for_topics(created, timeout_ms=int(cluster.send_timeout_s * 1000))
    return created


def _tell_few_copies(admin: KafkaAdminClient, cluster: Cluster, specs: Sequence[TopicSpec]) -> None:
    """Log which topics keep fewer copies than are safe, where the cluster has chosen how many.

    A broker that is down just now may not be counted, and topics keep the number that they were made with.
    """
    chosen = [spec.name for spec in specs if spec.replication_factor is None and not spec.is_optional]
    if not chosen:
        return
    lacking = [
        topic["name"]
        for topic in admin.describe_topics(chosen)
        if any(len(partition["replica_nodes"]) < MIN_COPIES for partition in topic["partitions"])
    ]
    if lacking:
        logger.warning(
            "Kafka at %s keeps fewer than %d copies of %s, so one broker that is lost loses them: its "
            "default is as low, and fewer than %d brokers run just now; "
            "kafka-reassign-partitions makes more copies",
            cluster.address,
            MIN_COPIES,
            few(lacking),
            COPIES,
        )


def _ask_for(admin: KafkaAdminClient, specs: Sequence[TopicSpec]) -> dict[str, _Refusal]:
    """Have topics created; returns those that are not there then."""
    request = {name: topic for spec in specs for name, topic in request_for(spec).items()}
    refused: dict[str, _Refusal] = {}
    for topic in admin.create_topics(request, raise_errors=False)["topics"]:
        error = kafka.errors.for_code(topic["error_code"])
        # Another process may have created it in the same moment.
        if error not in (kafka.errors.NoError, kafka.errors.TopicAlreadyExistsError):
            refused[topic["name"]] = error, topic["error_message"] or error.__name__
    return refused


def _require(cluster: Cluster, specs: Sequence[TopicSpec], refused: dict[str, _Refusal]) -> None:
    """Raise TopicsMissing for refused topics, unless the pool does without them."""
    if not refused:
        return
    lacks_right = any(issubclass(error, kafka.errors.AuthorizationError) for error, _ in refused.values())
    how = "; create them, or grant Create on the cluster" if lacks_right else ""
    if any(issubclass(error, REFUSED) for error, _ in refused.values()):
        how += "; if the cluster keeps nothing for ever, set KAFKA_JOBS_RETENTION"
    told = ", ".join(f"{name} ({why})" for name, (_, why) in refused.items())
    text = f"Kafka at {cluster.address} lacks topics and {cluster.user} cannot create them: {told}{how}"
    optional = {spec.name for spec in specs if spec.is_optional}
    if not lacks_right or refused.keys() - optional:
        raise TopicsMissing(text)
    logger.warning("optional topics not created: %s", text)
