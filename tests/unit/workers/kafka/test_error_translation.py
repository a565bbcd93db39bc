"""The words for kafka-python's errors: they tell what happened, and guess no cause."""

from __future__ import annotations

import kafka.errors
import pytest

from workers.errors import (
    InvalidMessage,
    InvalidName,
    KafkaUnreachable,
    NotAuthorized,
    TopicsMissing,
    WorkersError,
)
from workers.kafka import Cluster
from workers.kafka.error_translation import translated, undelivered

CLUSTER = Cluster(("kafka:9092",))


def said(error: kafka.errors.KafkaError, doing: str = "write to topic todo.jobs.mail") -> str:
    return str(translated(error, CLUSTER, doing))


def test_only_who_never_got_through_is_sent_to_the_address() -> None:
    error = kafka.errors.KafkaTimeoutError("Unable to bootstrap from kafka:9092")
    assert "KAFKA_BOOTSTRAP_SERVERS" in said(error, "connect")
    assert "KAFKA_BOOTSTRAP_SERVERS" not in said(kafka.errors.KafkaTimeoutError("Request timed out"))
    assert "check that all its brokers run" in said(kafka.errors.KafkaTimeoutError("Request timed out"))


def test_a_name_that_no_topic_can_have_is_not_blamed_on_the_connection() -> None:
    error = translated(kafka.errors.InvalidTopicError("a/b"), CLUSTER, "look up topics")
    assert isinstance(error, InvalidName)
    assert not isinstance(error, KafkaUnreachable)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (kafka.errors.UnknownTopicOrPartitionError("todo.jobs.mail"), TopicsMissing),
        (kafka.errors.TopicAuthorizationFailedError("todo.jobs.mail"), NotAuthorized),
        (kafka.errors.KafkaConnectionError("socket disconnected"), KafkaUnreachable),
        (kafka.errors.NotLeaderForPartitionError(), KafkaUnreachable),
        (kafka.errors.CorruptRecordError("bad"), WorkersError),
    ],
)
def test_each_error_says_what_was_being_done(error: kafka.errors.KafkaError, kind: type[Exception]) -> None:
    found = translated(error, CLUSTER, "write to topic todo.jobs.mail")
    assert isinstance(found, kind)
    assert "write to topic todo.jobs.mail" in str(found)
    assert "()" not in str(found)


def test_a_record_that_kafka_refuses_for_good_is_not_blamed_on_the_connection() -> None:
    error = undelivered(kafka.errors.InvalidRecordError("no key"), CLUSTER, "write to topic todo.events")
    assert isinstance(error, InvalidMessage)
    assert not isinstance(error, KafkaUnreachable)
    assert "Kafka refuses the record for good" in str(error)
