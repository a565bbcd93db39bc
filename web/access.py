"""Finds out who is asking, by a JSON Web Token, and says what they may do.

A token comes in the header `Authorization: Bearer`, or in the first frame of a live connection; never in a
URL, which ends up in logs and histories.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from fastapi import HTTPException, Request
from jwt import PyJWK
from jwt.exceptions import InvalidTokenError

from settings import Settings
from workers.errors import WorkersError

from .keys import HMAC, KeyNotFound, Keys, KeysAtUrl, KeysAway, KeysInFile, SecretKey

#: How far the clocks of signer and reader may differ, in seconds.
LEEWAY_S = 5.0
#: A longer token is refused unread: this one is checked before anybody is known.
MAX_TOKEN_CHARACTERS = 8_192
#: How long a token that was good is not checked again, and how many such are remembered.
_RECENT_S = 10.0
_MAX_RECENT = 1_000
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class AccessDenied(WorkersError):
    """Nobody may pass with this token."""


class NotConfigured(WorkersError):
    """No key is set by which tokens could be checked."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is asking. ``user`` is comparable by :func:`user_key`; ``expires_at`` is in seconds since 1970."""

    user: str
    roles: frozenset[str]
    expires_at: float

    def ends_at(self, now: float) -> float:
        """Return when the token ends by the monotonic clock, on which it is ``now``."""
        return now + self.expires_at - time.time()


def user_key(name: str) -> str:
    """The form in which users are compared: addresses are the same in any case."""
    return name.strip().lower()


class Access:
    """Checks tokens: signature, audience, issuer, time. For one event loop; it never blocks it."""

    def __init__(
        self,
        keys: Keys,
        *,
        audience: str,
        issuer: str | None = None,
        user_claim: str = "email",
        roles_claim: str = "roles",
    ) -> None:
        self._keys = keys
        self._audience = audience
        self._issuer = issuer
        self._user_claim = user_claim
        self._roles_claim = roles_claim
        #: Who sent a token a moment ago, and until when that is taken for known, by the wall clock.
        self._recent: dict[str, tuple[Identity, float]] = {}

    async def identify(self, token: str) -> Identity:
        """Return who the token is about.

        A token that was good is not checked again for ten seconds: services send the same one each time.
        Raises AccessDenied, whose text holds no claim of the token, and KeysAway if that cannot be said now.
        """
        now = time.time()
        known = self._recent.get(token)
        if known is not None and now < known[1]:
            return known[0]
        identity = await self._checked(token)
        if len(self._recent) >= _MAX_RECENT:
            self._recent.clear()
        self._recent[token] = (identity, min(now + _RECENT_S, identity.expires_at))
        return identity

    async def _checked(self, token: str) -> Identity:
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise AccessDenied(f"the token has more than {MAX_TOKEN_CHARACTERS} characters")
        try:
            header = jwt.get_unverified_header(token)
            algorithm = str(header.get("alg"))
            try:
                key = await self._keys.find(algorithm, header.get("kid"))
            except KeysAway:
                # Refuses what no key makes good, such as an expired token: its client needs another one.
                self._claims(token, verify_signature=False)
                raise
            claims = self._claims(token, key, algorithm)
        except KeyNotFound as exc:
            raise AccessDenied(str(exc)) from exc
        except (InvalidTokenError, UnicodeError) as exc:
            raise AccessDenied(f"the token is refused: {exc}") from exc
        return self._identity(claims)

    def _claims(
        self, token: str, key: PyJWK | str = "", algorithm: str = "", *, verify_signature: bool = True
    ) -> dict[str, Any]:
        """Check and return the claims of a token. Raises InvalidTokenError."""
        return jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=self._audience,
            issuer=self._issuer,
            leeway=LEEWAY_S,
            options={
                "require": ["exp", "aud", self._user_claim],
                "verify_signature": verify_signature,
                # Without a signature PyJWT checks these only if it is told to.
                "verify_exp": True,
                "verify_nbf": True,
                "verify_iat": True,
                "verify_aud": True,
                "verify_iss": True,
            },
        )

    def _identity(self, claims: dict[str, Any]) -> Identity:
        user = claims[self._user_claim]
        if not isinstance(user, str) or not user_key(user) or "\0" in user:
            raise AccessDenied(f"the token's claim {self._user_claim} is no text")
        if self._user_claim == "email" and claims.get("email_verified") in (False, "false"):
            raise AccessDenied("the token's claim email is not verified")
        roles = claims.get(self._roles_claim, [])
        if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
            raise AccessDenied(f"the token's claim {self._roles_claim} is no list of texts")
        return Identity(user_key(user), frozenset(roles), float(claims["exp"]))

    async def asking(self, request: Request) -> Identity:
        """Return who sends a request: a dependency for FastAPI. Raises HTTPException 401 and 503."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _unauthorized("send a token in the header Authorization: Bearer", "")
        try:
            return await self.identify(token.strip())
        except AccessDenied as exc:
            raise _unauthorized(str(exc), ', error="invalid_token"') from exc
        except KeysAway as exc:
            raise HTTPException(503, str(exc), {"Retry-After": "5"}) from exc

    def having(self, *roles: str) -> Callable[[Request], Awaitable[Identity]]:
        """Make a dependency as `asking` that also asks for one of ``roles``. It raises HTTPException 403."""

        async def check(request: Request) -> Identity:
            identity = await self.asking(request)
            if identity.roles.isdisjoint(roles):
                raise HTTPException(403, f"this needs the role {' or '.join(roles)}")
            return identity

        return check


def _unauthorized(why: str, error: str) -> HTTPException:
    return HTTPException(401, why, {"WWW-Authenticate": f'Bearer realm="todo-workers"{error}'})


@dataclass(frozen=True, slots=True)
class DevelopmentKey:
    """A key that was made for this start, as none is set; only for the loopback."""

    secret: str


def is_local(settings: Settings) -> bool:
    """Whether only this machine can connect."""
    return settings.web.host in _LOOPBACK


def development_key(settings: Settings) -> DevelopmentKey | None:
    """Make a key if none is set and only this machine can connect; None if one is set.

    Raises NotConfigured if other machines could connect.
    """
    web = settings.web
    if web.jwt_secret is not None or web.jwt_jwks is not None:
        return None
    if not is_local(settings):
        raise NotConfigured(
            f"WEB_HOST={web.host} lets other machines connect, and no key is set: "
            "set WEB_JWT_SECRET, or WEB_JWT_JWKS to the public keys of your login service"
        )
    return DevelopmentKey(secrets.token_urlsafe(32))


def access_from(settings: Settings, development: DevelopmentKey | None = None) -> Access:
    """Make the check of tokens that the settings ask for. Raises NotConfigured and InvalidKeys."""
    web = settings.web
    return Access(
        _keys(settings, development),
        audience=web.jwt_audience,
        issuer=web.jwt_issuer,
        user_claim=web.jwt_user_claim,
        roles_claim=web.jwt_roles_claim,
    )


def _keys(settings: Settings, development: DevelopmentKey | None) -> Keys:
    web = settings.web
    if web.jwt_jwks is not None:
        return KeysAtUrl(web.jwt_jwks) if "://" in web.jwt_jwks else KeysInFile(Path(web.jwt_jwks))
    if web.jwt_secret is not None:
        return SecretKey(web.jwt_secret.get_secret_value())
    if development is None:
        raise NotConfigured("no key is set: set WEB_JWT_SECRET or WEB_JWT_JWKS")
    return SecretKey(development.secret)


def sign(settings: Settings, secret: str, user: str, *, roles: tuple[str, ...] = (), hours: float = 1) -> str:
    """Make a token as a login service would, for development and tests."""
    web = settings.web
    now = datetime.fromtimestamp(time.time(), UTC)
    claims: dict[str, Any] = {
        web.jwt_user_claim: user,
        web.jwt_roles_claim: list(roles),
        "aud": web.jwt_audience,
        "iat": now,
        "exp": now + timedelta(hours=hours),
    }
    if web.jwt_issuer is not None:
        claims["iss"] = web.jwt_issuer
    return jwt.encode(claims, secret, algorithm=HMAC)
