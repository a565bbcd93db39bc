"""Finds what a cluster accepts of a topic's configuration. Managed clusters refuse some settings of Kafka's.

`WITHOUT` says what follows where a setting is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import kafka.errors
from kafka.admin import KafkaAdminClient

from ...topics import TopicSpec

#: The errors of a topic whose configuration is refused.
REFUSED = (
    kafka.errors.InvalidConfigurationError,
    kafka.errors.PolicyViolationError,
    kafka.errors.InvalidRequestError,
)

#: Without these, jobs could be deleted before they are done.
_ESSENTIAL = ("cleanup.policy", "retention.ms")
#: What becomes of the pool without a setting.
WITHOUT: Mapping[str, str] = {
    "cleanup.policy": "what is replaced or resolved stays in the topic, which grows",
    "message.timestamp.type": "records have the time of their writers' clocks: a wrong one makes them be "
    "deleted too early or too late",
    "retention.bytes": "a partition that grows beyond the cluster's own bound loses jobs that are not done",
    "min.insync.replicas": "the cluster decides how many copies must have a record",
    "max.message.bytes": "the largest jobs cannot be tried again, or kept whole as dead letters",
}
_OF_NO_IMPORTANCE = "the cluster's own value is used"


def may_be_left_out(setting: str, value: str) -> bool:
    """Whether a topic is made without the setting where the cluster refuses it."""
    return setting not in _ESSENTIAL or (setting == "cleanup.policy" and "compact" in value)


def consequence(setting: str) -> str:
    """What follows from a setting's refusal, in words."""
    return WITHOUT.get(setting, _OF_NO_IMPORTANCE)


def accepts(admin: KafkaAdminClient, spec: TopicSpec) -> bool | None:
    """Whether the cluster would create the topic, and False only if its configuration is refused.

    None if something else speaks against it, or the user may not know. Creates nothing. Raises
    kafka-python's errors.
    """
    response = admin.create_topics(request_for(spec), validate_only=True, raise_errors=False)
    (topic,) = response["topics"]
    error = kafka.errors.for_code(topic["error_code"])
    if error in (kafka.errors.NoError, kafka.errors.TopicAlreadyExistsError):
        return True
    return False if issubclass(error, REFUSED) else None


def plainer(admin: KafkaAdminClient, spec: TopicSpec) -> TopicSpec | None:
    """The topic with as much of its configuration as the cluster accepts; None if it takes too little.

    A topic that cannot be compacted keeps all, or what its retention says. Raises kafka-python's errors.
    """
    kept = {name: spec.config[name] for name in _ESSENTIAL if name in spec.config}
    if not accepts(admin, replace(spec, config=kept)):
        if "compact" not in kept.get("cleanup.policy", ""):
            return None
        kept = {"cleanup.policy": "delete", "retention.ms": kept.get("retention.ms", "-1")}
        if not accepts(admin, replace(spec, config=kept)):
            return None
    for name, value in spec.config.items():
        if name not in _ESSENTIAL and accepts(admin, replace(spec, config={**kept, name: value})):
            kept[name] = value
    return replace(spec, config=kept)


def request_for(spec: TopicSpec) -> dict[str, dict[str, object]]:
    """The topic as kafka-python's `create_topics` takes it."""
    return {
        spec.name: {
            "num_partitions": spec.partitions,
            "replication_factor": spec.replication_factor or -1,
            "configs": dict(spec.config),
        }
    }
