"""The session: a signed cookie that says who has logged in, with which role, and until when."""

from __future__ import annotations

import time
from dataclasses import dataclass

from itsdangerous import BadData, URLSafeSerializer

from .rights import ROLES

NAME = "workers_session"
#: A session ends with its token, and after this time at the latest.
MAX_SESSION_S = 12 * 3600.0
_MAX_CHARACTERS = 2_048


@dataclass(frozen=True, slots=True)
class Session:
    """Who looks. ``ends_at`` is in seconds since 1970."""

    user: str
    role: str
    ends_at: float


class SessionCookies:
    """Writes and reads the cookie's value. Whoever has the secret can be anybody."""

    def __init__(self, secret: str) -> None:
        self._serializer = URLSafeSerializer(secret, salt="todo-workers dashboard session")

    def write(self, session: Session) -> str:
        return str(self._serializer.dumps([session.user, session.role, session.ends_at]))

    def read(self, value: str | None, now: float | None = None) -> Session | None:
        """The session; None for a value that is missing, changed, too long, or over. Never raises."""
        if not value or len(value) > _MAX_CHARACTERS:
            return None
        try:
            match self._serializer.loads(value):
                case [str(user), str(role), int() | float() as ends_at] if role in ROLES:
                    session = Session(user, role, float(ends_at))
                case _:
                    return None
        except BadData:
            return None
        return session if session.ends_at > (time.time() if now is None else now) else None
