"""The pool's only door to kafka-python: how clients are made, and what its errors mean to a person."""

from __future__ import annotations

# First, as it looks which kafka-python is installed before anything of that is imported.
from . import patches  # noqa: F401  # isort: skip
from kafka import AsyncConsumerRebalanceListener, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, KafkaAdminClient, OffsetSpec
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from .administration import (
    brokers_of,
    cluster_rights,
    delete_all_records,
    delete_records_below,
    described_groups,
    existing_topics,
    group_rights,
    partitions_of,
    stable_ends,
)
from .calls import (
    ReadUpTo,
    commit_now,
    commit_on_io_thread,
    committed_in,
    end_of_epoch,
    epoch_read,
    is_joining,
    known_partitions,
    look_up_topic,
    missing_codecs,
    must_wait,
    patiently,
    polls_of,
    read_up_to,
    sleep_on_io_thread,
    topic_ids,
)
from .clients import (
    abandon_producer,
    connect_admin,
    connect_consumer,
    connect_producer,
    discard_producer,
    is_closed,
    read_only_wanted,
)
from .cluster import Cluster
from .creation.topics import create_missing_topics
from .damage import readable_from, unreadable_places
from .error_translation import (
    awaited,
    is_fatal,
    is_rebalance,
    is_unauthorized,
    kafka_errors,
    translated,
    undelivered,
)
from .measuring import measure
from .membership.heartbeats import Heartbeats
from .membership.memberships import Memberships
from .partitioning import partition_of

__all__ = [
    "AsyncConsumerRebalanceListener",
    "Cluster",
    "ConfigResource",
    "Heartbeats",
    "KafkaAdminClient",
    "KafkaConsumer",
    "KafkaError",
    "KafkaProducer",
    "Memberships",
    "OffsetAndMetadata",
    "OffsetSpec",
    "ReadUpTo",
    "TopicPartition",
    "abandon_producer",
    "awaited",
    "brokers_of",
    "cluster_rights",
    "commit_now",
    "commit_on_io_thread",
    "committed_in",
    "connect_admin",
    "connect_consumer",
    "connect_producer",
    "create_missing_topics",
    "delete_all_records",
    "delete_records_below",
    "described_groups",
    "discard_producer",
    "end_of_epoch",
    "epoch_read",
    "existing_topics",
    "group_rights",
    "is_closed",
    "is_fatal",
    "is_joining",
    "is_rebalance",
    "is_unauthorized",
    "kafka_errors",
    "known_partitions",
    "look_up_topic",
    "measure",
    "missing_codecs",
    "must_wait",
    "partition_of",
    "partitions_of",
    "patiently",
    "polls_of",
    "read_only_wanted",
    "read_up_to",
    "readable_from",
    "sleep_on_io_thread",
    "stable_ends",
    "topic_ids",
    "translated",
    "undelivered",
    "unreadable_places",
]
