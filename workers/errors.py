"""Every error that the pool raises, derived from dramatiq's own type if dramatiq has one.

dramatiq's worker retries an ack only on ``BrokerConnectionError``. So each error that means "Kafka cannot
take it now" is one: the job stays where it is until Kafka can.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from typing import Any

import dramatiq
from dramatiq.errors import ConnectionFailed, DecodeError
from dramatiq.middleware import MiddlewareError, SkipMessage


def plain_text(text: str) -> str:
    """The text as UTF-8 can write it: a byte that was not UTF-8 and half a surrogate pair are written out.

    Such text may come from a server, a library or the environment; storing or printing it would fail.
    """
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()


class WorkersError(Exception):
    """The worker pool could not do what was asked. Its text can be stored, sent and printed: it is UTF-8."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(plain_text(message or inspect.cleandoc(type(self).__doc__ or type(self).__name__)))


class KafkaUnreachable(WorkersError, ConnectionFailed):
    """Kafka cannot be reached; check that it runs and that KAFKA_BOOTSTRAP_SERVERS names it."""


class LogWentBack(KafkaUnreachable):
    """The end of a log was lost, or the topic was made again; the consumer begins anew where it ends."""


class LogUnreadable(KafkaUnreachable):
    """A broker cannot read a log on its own disk; look at the disk of the partition's leader."""


class AuthenticationFailed(KafkaUnreachable):
    """Kafka refused the user or the password; check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD."""


class NotAuthorized(KafkaUnreachable):
    """Kafka does not let this user do that; grant the right with an ACL."""


class NotDelivered(KafkaUnreachable):
    """Kafka did not confirm the record in time; it may or may not have been written."""


class BatchNotDelivered(KafkaUnreachable):
    """Kafka did not confirm some messages of a batch; ``failures`` pairs each with its error."""

    def __init__(self, failures: list[tuple[dramatiq.Message[Any], WorkersError]], sent: int) -> None:
        first_message, first_error = failures[0]
        super().__init__(
            f"{len(failures)} of {sent} messages were not delivered, the first is {first_message.message_id} "
            f"for actor {first_message.actor_name}: {first_error}"
        )
        self.failures = failures


class TopicsMissing(KafkaUnreachable):
    """Topics that the pool needs do not exist and cannot be created."""


class NotSupported(WorkersError):
    """The Kafka cluster cannot do what is asked."""


class WorkerCannotStart(KafkaUnreachable, MiddlewareError):
    """The worker process cannot start: Kafka is away, or not as the pool needs it.

    Also a MiddlewareError, the one kind that dramatiq lets out of its boot hooks; its command then
    exits with status 3.
    """


class MessageTooLarge(WorkersError, dramatiq.BrokerError):
    """The message is larger than Kafka takes; send a reference to the data instead of the data."""


class UnknownQueue(WorkersError, dramatiq.QueueNotFound):
    """No actor of this broker declares the queue."""


class DelayTooLong(WorkersError, dramatiq.BrokerError):
    """The delay is longer than WORKER_MAX_DELAY; nothing was sent."""


class InvalidDelay(WorkersError, ValueError):
    """The delay is no finite number of milliseconds; nothing was sent."""


class InvalidMessage(WorkersError, ValueError):
    """No worker could read or run the message; nothing was sent."""


class InvalidUrl(WorkersError, ValueError):
    """The broker's URL cannot be read."""


class InvalidName(WorkersError, ValueError):
    """The name cannot be part of a Kafka topic's name."""


class Undecodable(WorkersError, DecodeError):
    """The record is not a dramatiq message."""

    def __init__(self, message: str, data: bytes) -> None:
        DecodeError.__init__(self, message, data, None)  # type: ignore[no-untyped-call]


class WrongUsage(WorkersError):
    """The request cannot be understood."""


class InvalidArguments(WorkersError):
    """The actor does not take the arguments of the message."""


class WorkerDied(WorkersError):
    """The worker process died each time it held the job: look at its log, its memory, its native code."""


class HeldBySwitch(WorkersError, SkipMessage):
    """A switch holds the job: it is replayed when the switch is lifted."""

    def __init__(self, switch_id: str) -> None:
        super().__init__(
            f"switch {switch_id} holds the job; todo-workers switches lift {switch_id} replays it"
        )
        self.switch_id = switch_id


class UnsupportedLibrary(WorkersError, SystemExit):
    """Another release of a library is needed.

    Also a SystemExit, so that a program that starts with the wrong one ends with this line and status 1
    instead of a traceback.
    """

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message)
        self.code = str(self)


class LocalKafkaError(WorkersError):
    """The local Kafka could not be started."""


def settings_problems(error: Exception) -> Sequence[str]:
    """What is wrong with the settings, a line for each; nothing if the error is about something else."""
    # Not imported: an application may have a module `settings` of its own, whatever that holds.
    kind = getattr(sys.modules.get("settings.problems"), "SettingsError", None)
    if not isinstance(kind, type) or not isinstance(error, kind):
        return ()
    found = getattr(error, "problems", ())
    return found if isinstance(found, tuple) else ()
