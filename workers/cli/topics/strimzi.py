"""`todo-workers topics --format strimzi`: the topics and users as resources of the operator Strimzi.

The resources are those of `kafka.strimzi.io/v1`. Strimzi's Topic Operator takes a number of replicas from the
resource, or the cluster's default where it has none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...broker.kafka_broker import KafkaBroker
from ...errors import WorkersError
from ...rights import ROLES, Right, Role, needed_rights
from ...topics import TopicSpec

_API = "kafka.strimzi.io/v1"
#: The label by which Strimzi's operators know whose resources they are.
_CLUSTER = "strimzi.io/cluster"


class NoYaml(WorkersError):
    """PyYAML, which writes the resources, is not installed."""


def manifests(broker: KafkaBroker, kafka: str) -> str:
    """The resources as YAML documents, for the Strimzi cluster ``kafka``; asks no Kafka. Raises NoYaml."""
    try:
        import yaml
    except ModuleNotFoundError:
        raise NoYaml("YAML is written by PyYAML: pip install 'todo-workers[kubernetes]'") from None
    specs = broker.topic_specs()
    resources = [_topic(spec, kafka) for spec in specs] + [
        _user(role, broker, specs, kafka) for role in ROLES
    ]
    return str(yaml.safe_dump_all(resources, sort_keys=False, explicit_start=True))


def _topic(spec: TopicSpec, kafka: str) -> Mapping[str, Any]:
    spec = spec.on(0)
    replicas = {} if spec.replication_factor is None else {"replicas": spec.replication_factor}
    return {
        "apiVersion": _API,
        "kind": "KafkaTopic",
        "metadata": {"name": _resource_name(spec.name), "labels": {_CLUSTER: kafka}},
        "spec": {
            "topicName": spec.name,
            "partitions": spec.partitions,
            **replicas,
            "config": dict(spec.config),
        },
    }


def _user(role: Role, broker: KafkaBroker, specs: Sequence[TopicSpec], kafka: str) -> Mapping[str, Any]:
    topics = broker.topics
    return {
        "apiVersion": _API,
        "kind": "KafkaUser",
        "metadata": {
            "name": _resource_name(f"{topics.namespace}-{role}"),
            "labels": {_CLUSTER: kafka},
        },
        "spec": {
            "authentication": {"type": "scram-sha-512"},
            "authorization": {
                "type": "simple",
                "acls": [_acl(right) for right in needed_rights(role, topics, specs)],
            },
        },
    }


def _acl(right: Right) -> Mapping[str, Any]:
    resource = {
        "type": right.resource,
        "name": right.name,
        "patternType": "prefix" if right.prefix else "literal",
    }
    return {"resource": resource, "operations": list(right.operations)}


def _resource_name(name: str) -> str:
    """A name that Kubernetes takes: lower-case letters, digits, '-' and '.' (RFC 1123)."""
    return re.sub(r"[^a-z0-9.-]", "-", name.lower()).strip("-.")
