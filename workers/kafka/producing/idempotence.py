"""Producers that Kafka lets write each record once only, and others where it does not."""

from __future__ import annotations

import logging
import time

import kafka.errors
from kafka.protocol.producer import InitProducerIdRequest

from ..clients import connect_admin, connect_producer, discard_producer
from ..cluster import Cluster
from ..error_translation import inner_text, kafka_errors
from ..patches.sending import DirectProducer

logger = logging.getLogger(__name__)

#: A cluster that has not answered by then is asked by the first record.
_PATIENCE_S = 0.5
_POLL_INTERVAL_S = 0.002
_NO_ID = -1


def connect_durable(cluster: Cluster) -> DirectProducer:
    """Connect a producer of durable records, idempotent if the cluster allows that, and else say so.

    Without idempotence, a record whose answer was lost is written again; one connection carries one request
    at a time, so their order stays. Raises KafkaUnreachable.
    """
    producer = connect_producer(cluster)
    why = _refusal(producer)
    if why is None:
        return producer
    discard_producer(producer)
    logger.warning(
        "Kafka at %s gives %s no producer id, so records may be written twice when an answer is lost (%s); "
        "grant IdempotentWrite on the cluster if it has that",
        cluster.address,
        cluster.user,
        why,
    )
    return connect_producer(cluster, idempotent=False)


def why_not_idempotent(cluster: Cluster) -> str | None:
    """Why the cluster gives this user no producer id; None if it does.

    Raises KafkaUnreachable or NotAuthorized, the latter not for the producer id.
    """
    request = InitProducerIdRequest(
        transactional_id=None,
        transaction_timeout_ms=0,
        producer_id=_NO_ID,
        producer_epoch=_NO_ID,
        max_version=4,
    )
    with connect_admin(cluster) as admin, kafka_errors(cluster, "get a producer id"):
        try:
            response = admin._manager.run(admin._manager.send, request)
        except kafka.errors.UnsupportedVersionError as exc:
            return inner_text(exc)
    error = kafka.errors.for_code(response.error_code)
    return error.message if issubclass(error, kafka.errors.AuthorizationError) else None


def _refusal(producer: DirectProducer) -> str | None:
    try:
        producer._sender._client._manager.broker_version_data.api_version(InitProducerIdRequest)
    except kafka.errors.UnsupportedVersionError as exc:
        return inner_text(exc)
    state = producer._transaction_manager
    deadline = time.monotonic() + _PATIENCE_S
    while not state.has_producer_id() and time.monotonic() < deadline:
        if state.has_fatal_error():
            text = str(state.last_error)
            return text if "AuthorizationFailed" in text or "AUTHORIZATION_FAILED" in text else None
        time.sleep(_POLL_INTERVAL_S)
    return None
