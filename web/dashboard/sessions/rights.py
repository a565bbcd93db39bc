"""What each role may do. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Permission(StrEnum):
    """One thing that a person may do; the text completes the sentence `you may not …`."""

    VIEW = "look at the dashboard"
    REPLAY = "replay dead letters"
    MEND = "mend arguments"
    DISCARD = "discard dead letters"
    PAUSE = "pause queues"
    SWITCH = "switch jobs off"
    CHANGE = "change what the pages of the application show"
    SEE_MASKED = "see masked fields"


_VIEWER = frozenset({Permission.VIEW})
_OPERATOR = _VIEWER | {Permission.REPLAY, Permission.MEND, Permission.PAUSE, Permission.CHANGE}
_ADMIN = frozenset(Permission)

#: The roles of a token that open the dashboard, each with all that the one before may.
ROLES = {"viewer": _VIEWER, "operator": _OPERATOR, "admin": _ADMIN}


def role_of(roles: Iterable[str]) -> str | None:
    """The strongest of the roles that the dashboard knows; None if it knows none of them."""
    known = [role for role in ROLES if role in set(roles)]
    return known[-1] if known else None


def permissions_of(role: str, *, read_only: bool = False) -> frozenset[Permission]:
    """What a role may do; where the dashboard is read-only, only what changes nothing."""
    given = ROLES.get(role, frozenset())
    return given & {Permission.VIEW, Permission.SEE_MASKED} if read_only else given
