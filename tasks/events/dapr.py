"""Takes out of Dapr's envelope what a publisher gave to Dapr without CloudEvents. Pure.

Dapr wraps whatever is no CloudEvent in one of its own, whose type says nothing and whose id is new each time.
The rules are at https://docs.dapr.io/developing-applications/building-blocks/pubsub/pubsub-cloudevents/.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .models import EVENT_TYPES

#: The type of an envelope whose publisher named none.
DEFAULT_TYPE = "com.dapr.event.sent"
#: What to do about an event of that type.
ADVICE = (
    "Dapr was not told its type, so only an audit row comes of it: publish with the metadata "
    "cloudevent.type, such as todo.created, or send a whole CloudEvent"
)


def wrapped_event(attributes: Mapping[str, Any], data: Any) -> dict[str, Any] | None:
    """The event in an envelope of Dapr's default type: a whole CloudEvent, or a todo event as JSON.

    Returns None for anything else, which stays the data of an event of that type.
    """
    if attributes.get("type") != DEFAULT_TYPE:
        return None
    sent = _object(data)
    if sent is not None and ("specversion" in sent or sent.get("type") in EVENT_TYPES):
        return sent
    return None


def with_content(attributes: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    """The envelope's attributes as those of the todo event in it, whose own type, id and time count.

    An event without an id of its own has that of the envelope, so its publisher cannot repeat it.
    """
    own = {"type": sent["type"], "id": sent.get("event_id"), "time": sent.get("time")}
    stated = {name: value for name, value in own.items() if value is not None}
    return {**attributes, "datacontenttype": "application/json", **stated}


def way_of(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that say which way an envelope came: through which component and topic."""
    return {name: attributes[name] for name in ("pubsubname", "topic") if name in attributes}


def _object(data: Any) -> dict[str, Any] | None:
    """A JSON object: Dapr hands one on as text, or in base64, unless it was sent as JSON."""
    if isinstance(data, str):
        try:
            data = json.loads(data)
        except (ValueError, RecursionError):
            return None
    return data if isinstance(data, dict) else None
