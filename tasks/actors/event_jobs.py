"""The jobs that an event gives: one for each of its effects, always with the same ids."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid5

import dramatiq

from ..events.models import parse_any_event
from .arguments import EventData

#: An actor that brings about one effect of an event.
Effect = dramatiq.Actor[[EventData], None]


def jobs_for(event: EventData, actors: Iterable[Effect]) -> list[dramatiq.Message[None]]:
    """Make a job for each of ``actors``. Raises InvalidEvent."""
    parsed = parse_any_event(event)
    key = parsed.todo_id or str(parsed.event_id)
    return [job(actor, event, key=key, message_id=job_id(parsed.event_id, actor)) for actor in actors]


def job(actor: Effect, event: EventData, *, key: str, message_id: UUID) -> dramatiq.Message[None]:
    """Make a job about ``event``. Jobs of a queue with the same ``key`` are in one partition, in order."""
    message = actor.message_with_options(args=(event,), key=key)
    return message.copy(message_id=str(message_id))


def job_id(event_id: UUID, actor: dramatiq.Actor[..., Any]) -> UUID:
    """Return the id of the job that ``actor`` has for an event: always the same one."""
    return uuid5(event_id, actor.actor_name)
