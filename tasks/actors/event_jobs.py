"""Makes the jobs of an event: one for each of its effects, always with the same ids."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid5

import dramatiq

from ..events.models import AnyEvent
from .arguments import EventData

#: An actor whose only argument is an event.
EventActor = dramatiq.Actor[[EventData], None]


def jobs_for(event: AnyEvent, data: EventData, actors: Iterable[EventActor]) -> list[dramatiq.Message[None]]:
    """Make a job for each of ``actors``. ``data`` is the event as it came, before it was parsed."""
    key = event.todo_id or str(event.event_id)
    return [job(actor, data, key=key, message_id=job_id(event.event_id, actor)) for actor in actors]


def job(actor: EventActor, event: EventData, *, key: str, message_id: UUID) -> dramatiq.Message[None]:
    """Make a job about ``event``. Jobs of a queue with the same ``key`` are in one partition, in order."""
    message = actor.message_with_options(args=(event,), key=key)
    return message.copy(message_id=str(message_id))


def job_id(event_id: UUID, actor: dramatiq.Actor[..., Any]) -> UUID:
    """Return the id of the job that ``actor`` has for an event: always the same one."""
    return uuid5(event_id, actor.actor_name)
