"""Says who may ask a route, as a dependency that OpenAPI shows."""

from __future__ import annotations

from fastapi import Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from ..access import Access, Identity

#: The role of services that publish events.
PUBLISHER = "publisher"
#: The roles that see what belongs to others.
OVERSEERS = frozenset({"viewer", "operator", "admin"})


class Asking(SecurityBase):
    """Finds out who sends a request, by the token. With ``roles``, only who has one of them may pass."""

    def __init__(self, access: Access, *roles: str) -> None:
        self._check = access.having(*roles) if roles else access.asking
        self.model = HTTPBearer(bearerFormat="JWT", description="A JSON Web Token; see WEB_JWT_….")
        self.scheme_name = "token"

    async def __call__(self, request: Request) -> Identity:
        """Return who it is. Raises HTTPException 401, 403 and 503."""
        return await self._check(request)


def sees_everything(identity: Identity) -> bool:
    """Whether somebody sees what belongs to others."""
    return not identity.roles.isdisjoint(OVERSEERS)
