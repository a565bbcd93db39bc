"""Translates kafka-python's errors into ours, whose texts say what to do."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeGuard

import kafka.errors

from ..errors import (
    AuthenticationFailed,
    InvalidMessage,
    InvalidName,
    KafkaUnreachable,
    MessageTooLarge,
    NotAuthorized,
    NotDelivered,
    NotSupported,
    TopicsMissing,
    WorkersError,
)
from .cluster import Cluster


@contextmanager
def kafka_errors(cluster: Cluster, doing: str) -> Iterator[None]:
    """Turn kafka-python's errors inside the block into ours; ``doing`` completes "cannot ..."."""
    try:
        yield
    except kafka.errors.KafkaError as exc:
        raise translated(exc, cluster, doing) from exc


def is_fatal(error: BaseException) -> bool:
    """Whether a producer that got this error for a record must be replaced.

    kafka-python's idempotent producer gives up at any error that it may not repeat, even one record that is
    too large for its topic. After a record that was sent and then expired, 3.0.12 hangs: `reset_producer_id`
    drops the producer id and leaves the state at READY, in which `init_producer_id` does nothing, so no
    record is sent, confirmed or expired any more.
    """
    if isinstance(error, kafka.errors.KafkaTimeoutError):
        return True
    return isinstance(error, kafka.errors.KafkaError) and not isinstance(error, kafka.errors.RetriableError)


def translated(exc: BaseException, cluster: Cluster, doing: str) -> WorkersError:
    """Say in our words what kafka-python's ``exc`` means; see :func:`kafka_errors`."""
    for expected, error, text in _MEANINGS:
        if isinstance(exc, expected):
            # Only a client that never got through may have the wrong address.
            check = _CHECK_ADDRESS if doing == "connect" else "check that all its brokers run"
            said = inner_text(exc) or type(exc).__name__
            return error(
                text.format(
                    address=cluster.address,
                    user=cluster.user,
                    login=cluster.login_settings,
                    doing=doing,
                    exc=said,
                    check=check,
                )
            )
    if "AuthorizationFailedError" in str(exc):
        # A user without any Write right is refused a producer id; that comes wrapped in a bare KafkaError.
        return translated(kafka.errors.AuthorizationError(str(exc)), cluster, doing)
    text = f"Kafka at {cluster.address} failed to {doing}: {exc}"
    return KafkaUnreachable(text) if isinstance(exc, kafka.errors.RetriableError) else WorkersError(text)


class TlsFailed(kafka.errors.KafkaConnectionError):  # type: ignore[misc]
    """A connection that certificates or keys do not allow; its text says which, and which setting."""


_Meaning = tuple[type[BaseException] | tuple[type[BaseException], ...], type[WorkersError], str]
_REFUSALS = (
    kafka.errors.SaslAuthenticationFailedError,
    kafka.errors.UnsupportedSaslMechanismError,
    kafka.errors.IllegalSaslStateError,
)
_SEND_A_REFERENCE = "send a reference to the data instead of the data"
_CHECK_ADDRESS = (
    "check that it runs and that KAFKA_BOOTSTRAP_SERVERS is right, and KAFKA_SECURITY_PROTOCOL with it"
)
_MEANINGS: tuple[_Meaning, ...] = (
    (
        _REFUSALS,
        AuthenticationFailed,
        "Kafka at {address} refused the login of {user} ({exc}); check {login}",
    ),
    (TlsFailed, AuthenticationFailed, "Kafka at {address} cannot be connected to by TLS: {exc}"),
    (
        kafka.errors.AuthorizationError,
        NotAuthorized,
        "Kafka at {address} does not let {user} {doing} ({exc}); grant the right with an ACL",
    ),
    (
        (kafka.errors.MessageSizeTooLargeError, kafka.errors.RecordListTooLargeError),
        MessageTooLarge,
        "cannot {doing}: the message is larger than Kafka takes ({exc}); " + _SEND_A_REFERENCE,
    ),
    (
        (kafka.errors.InvalidRecordError, kafka.errors.InvalidTimestampError),
        InvalidMessage,
        "cannot {doing}: Kafka refuses the record for good ({exc}); look at what its topic allows",
    ),
    (kafka.errors.UnsupportedVersionError, NotSupported, "Kafka at {address} cannot {doing} ({exc})"),
    (
        kafka.errors.UnknownTopicOrPartitionError,
        TopicsMissing,
        "cannot {doing}: Kafka at {address} has no such topic, or {user} may not see it",
    ),
    (
        kafka.errors.InvalidTopicError,
        InvalidName,
        "cannot {doing}: Kafka takes no topic of this name ({exc})",
    ),
    (
        kafka.errors.KafkaTimeoutError,
        KafkaUnreachable,
        "Kafka at {address} did not answer in time, cannot {doing} ({exc}); {check}",
    ),
    (
        kafka.errors.KafkaConnectionError,
        KafkaUnreachable,
        "Kafka at {address} cannot be reached, cannot {doing} ({exc}); {check}",
    ),
)


def is_rebalance(error: BaseException) -> bool:
    """Whether a commit failed only because the group is settling."""
    return isinstance(error, kafka.errors.RebalanceInProgressError)


def is_unauthorized(error_code: int) -> bool:
    """Whether a topic's error code says that the user may not see the topic."""
    return kafka.errors.for_code(error_code) is kafka.errors.TopicAuthorizationFailedError


def awaited(future: Any, cluster: Cluster, doing: str, *, deadline: float | None = None) -> Any:
    """Wait until Kafka has confirmed a produced record, and return its metadata.

    Raises NotDelivered if no answer comes before ``deadline``, by the monotonic clock; by default within the
    send time-out. The record may or may not have been written then.
    """
    timeout_s = cluster.send_timeout_s if deadline is None else max(0.0, deadline - time.monotonic())
    try:
        return future.get(timeout=timeout_s)
    except kafka.errors.KafkaError as exc:
        raise undelivered(exc, cluster, doing) from exc


def undelivered(exc: BaseException, cluster: Cluster, doing: str) -> WorkersError:
    """Say in our words why a produced record was not confirmed."""
    if isinstance(exc, kafka.errors.KafkaTimeoutError):
        return NotDelivered(
            f"Kafka at {cluster.address} did not confirm in {cluster.send_timeout_s:g} s, cannot {doing}; "
            f"the record may or may not have been written ({inner_text(exc)})"
        )
    meaning = translated(exc, cluster, doing)
    # Any other error is about the producer, such as its end: the caller may send the record again.
    return NotDelivered(str(meaning)) if type(meaning) is WorkersError else meaning


def is_refusal(error: BaseException | None) -> TypeGuard[BaseException]:
    """Whether Kafka refused the login, or certificates do not allow a connection."""
    return isinstance(error, (*_REFUSALS, TlsFailed))


def inner_text(error: BaseException) -> str:
    """The text of an error, without the names of kafka-python's classes around it."""
    return str(error.args[0]) if error.args else str(error)
