"""How chatbot code tells the workers what happened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dramatiq
from pydantic_core import PydanticSerializationError

from .app import broker
from .events import InvalidEvent, TodoEvent, parse_event
from .handlers import handle_event, job


def publish(event: TodoEvent | Mapping[str, Any]) -> dramatiq.Message[None]:
    """Hand ``event`` to the workers, and give the job that was enqueued for it; its id is the event's.

    Blocks until Kafka has stored it. An event may be published again, after an error or for safety: its
    effects happen once.

    Raises:
        InvalidEvent: it does not validate; nothing was sent.
        workers.errors.WorkersError: Kafka did not take it; the text says why.
    """
    # A model is checked again: `model_copy` and `model_construct` check nothing.
    parsed = parse_event(_as_mapping(event) if isinstance(event, TodoEvent) else event)
    data = parsed.model_dump(mode="json")
    return broker.enqueue(job(handle_event, data, key=parsed.todo.id, message_id=parsed.event_id))


def _as_mapping(event: TodoEvent) -> dict[str, Any]:
    try:
        return event.model_dump(mode="json", warnings=False)
    except PydanticSerializationError as exc:
        raise InvalidEvent(f"Not a valid todo event: {exc}") from exc
