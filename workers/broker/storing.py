"""Puts messages into the outbox of the caller's database, where they are sent with the commit."""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol

import dramatiq

from ..outbox.session import AnySession
from ..records.envelope import Record
from ..records.headers import DELAY_HEADER
from ..topics import Topics
from .outgoing import Delay


class Stores(Protocol):
    """The parts of a broker that storing a message needs."""

    topics: Topics

    def outgoing(self, message: dramatiq.Message[Any], delay: Delay) -> tuple[str, Record]: ...

    def emit_after(self, signal: str, *args: Any, **kwargs: Any) -> None: ...


def store(
    broker: Stores, session: AnySession, message: dramatiq.Message[Any], delay: Delay
) -> dramatiq.Message[Any]:
    """Add a message's record to the session; see `KafkaBroker.enqueue_in`."""
    from ..outbox.adding import add

    _, record = broker.outgoing(message, delay)
    # How long a delayed job still has to wait is known when it is written to Kafka: the relay chooses the
    # topic by the time in the header `eta`.
    headers = [header for header in record.headers if header[0] != DELAY_HEADER]
    add(
        session,
        broker.topics.jobs(message.queue_name),
        record._replace(headers=headers),
        name=message.message_id,
        about=message.actor_name,
    )
    broker.emit_after("enqueue", message, delay)
    return message


def give_send_in(broker: Stores, actor: dramatiq.Actor[Any, Any]) -> None:
    """Give an actor ``send_in(session, *args, **kwargs)``, which returns the message."""
    actor.send_in = partial(_send_in, broker, actor)  # type: ignore[attr-defined]


def _send_in(
    broker: Stores, actor: dramatiq.Actor[Any, Any], session: AnySession, *args: Any, **kwargs: Any
) -> dramatiq.Message[Any]:
    return store(broker, session, actor.message(*args, **kwargs), None)
