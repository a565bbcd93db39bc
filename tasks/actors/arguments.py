"""Types of the actors' arguments: JSON values, with the checks for an operator's edit of them.

An actor parses its own argument. The annotation is only read when somebody replays a dead letter with edited
arguments: it has the new values checked before they become a job.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator

from ..events.models import parse_any_event
from ..notifications.notice import parse_notice

JsonObject = dict[str, Any]


def _checked_by(parse: Callable[[JsonObject], object]) -> AfterValidator:
    def check(data: JsonObject) -> JsonObject:
        parse(data)
        return data

    return AfterValidator(check)


#: An event, as `parse_any_event` reads it.
EventData = Annotated[JsonObject, _checked_by(parse_any_event)]

#: A notice, as `parse_notice` reads it.
NoticeData = Annotated[JsonObject, _checked_by(parse_notice)]
