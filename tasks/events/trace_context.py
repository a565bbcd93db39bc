"""The context of a trace in an event: the attributes of CloudEvents' extension for distributed tracing. Pure.

An event that comes with a context keeps it, and what becomes of the event belongs to that trace. One that is
published here gets that of the span which publishes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard, TypeVar

from workers.records.headers import trace_id_of
from workers.traces.names import TRACEPARENT, TRACESTATE

from .models import AnyEvent

E = TypeVar("E", bound=AnyEvent)

#: The longest value that anybody has to hand on, as W3C's Trace Context says.
_MAX_CHARS = 512
#: The attributes of the extension.
TRACE_ATTRIBUTES = (TRACEPARENT, TRACESTATE)


def context_in(attributes: Mapping[str, Any]) -> dict[str, str]:
    """The context that an event's attributes have, as headers; empty without one that makes sense."""
    given = {name: attributes.get(name) for name in TRACE_ATTRIBUTES}
    found = {name: value for name, value in given.items() if _is_sound(value)}
    parent = found.get(TRACEPARENT, "")
    return {} if trace_id_of([(TRACEPARENT, parent.encode())]) is None else found


def _is_sound(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value.isascii() and 0 < len(value) <= _MAX_CHARS


def in_context(event: E, context: Mapping[str, str]) -> tuple[E, Mapping[str, str]]:
    """The event as one that is published in ``context``, and the headers that its record gets for that.

    One that has a context keeps it, and its record has the same. Without a ``context`` nothing is added.
    """
    attributes = event.cloudevent.model_extra or {}
    if not context or TRACEPARENT in attributes:
        return event, context_in(attributes) if context else {}
    return event.model_copy(update={"cloudevent": event.cloudevent.model_copy(update=dict(context))}), {}
