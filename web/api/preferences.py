"""The routes for what a user wants: no mails of some kinds, and none in some hours."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from tasks.notifications import rendering
from tasks.notifications.quiet_hours import parse_quiet_hours
from tasks.notifications.recipients import Preferences

from ..access import Access, Identity
from .asking import Asking
from .problems import described
from .services import Services

_EXAMPLE: dict[str, Any] = {"opted_out": ["todo_completed"], "quiet_hours": "22:00-07:00"}


class PreferencesWanted(BaseModel):
    """The kinds of mails that a user gets no more, ``*`` for all, and hours without any but urgent ones.

    Quiet hours go by the clock of the zone of each todo's owner; null is none.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _EXAMPLE})

    opted_out: list[Annotated[str, Field(max_length=200)]] = Field(max_length=100)
    quiet_hours: Annotated[str, Field(max_length=40)] | None


class PreferencesSeen(BaseModel):
    """What a user wants, and all kinds of mails that there are."""

    model_config = ConfigDict(
        json_schema_extra={"example": _EXAMPLE | {"kinds": ["reminder", "todo_completed", "todo_created"]}}
    )

    opted_out: list[str]
    quiet_hours: str | None
    kinds: list[str]


def add_preferences(router: APIRouter, services: Services, access: Access) -> None:
    """Add the routes at `/preferences`."""
    asking = Asking(access)

    @router.get("/preferences", tags=["preferences"], responses=described(401, 422, 503))
    def read_preferences(who: Identity = Depends(asking)) -> PreferencesSeen:
        """Return which mails you want, and when."""
        return _seen(services.recipients().preferences(who.user))

    @router.put("/preferences", tags=["preferences"], responses=described(401, 413, 422, 503))
    def set_preferences(wanted: PreferencesWanted, who: Identity = Depends(asking)) -> PreferencesSeen:
        """Set which mails you want, and when; what was set before counts no more."""
        quiet_hours = parse_quiet_hours(wanted.quiet_hours) if wanted.quiet_hours else None
        return _seen(services.recipients().replace(who.user, wanted.opted_out, quiet_hours))


def _seen(wanted: Preferences) -> PreferencesSeen:
    return PreferencesSeen(
        opted_out=sorted(wanted.opted_out),
        quiet_hours=str(wanted.quiet_hours) if wanted.quiet_hours else None,
        kinds=list(rendering.kinds()),
    )
