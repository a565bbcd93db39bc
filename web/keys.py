"""The keys that tokens are signed with: a shared secret, or the public keys of a login service."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from pathlib import Path
from typing import Protocol

from jwt import PyJWK, PyJWKClient, PyJWKSet
from jwt.exceptions import PyJWKClientConnectionError, PyJWTError

from workers.errors import WorkersError

logger = logging.getLogger(__name__)

#: The algorithms of public keys; a secret's is HS256 only, so no public key is ever taken for a secret.
PUBLIC = frozenset({"RS256", "ES256", "EdDSA"})
HMAC = "HS256"

#: How long a key from a URL is used before its service is asked again, and how long its answer may take.
_FRESH_S = 300.0
_TIMEOUT_S = 5.0


class InvalidKeys(WorkersError):
    """The file of public keys cannot be read; see WEB_JWT_JWKS."""


class KeyNotFound(WorkersError):
    """No key with the token's `kid` and algorithm is known."""


class Keys(Protocol):
    """Finds the key of a token; never blocks the event loop."""

    async def find(self, algorithm: str, kid: str | None) -> PyJWK | str:
        """Return the key for a token with this header. Raises KeyNotFound."""


class SecretKey:
    """One secret that signer and reader share."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    async def find(self, algorithm: str, kid: str | None) -> PyJWK | str:  # noqa: ARG002
        """Return the secret. Raises KeyNotFound for another algorithm."""
        if algorithm != HMAC:
            raise KeyNotFound(f"the token is signed with {algorithm!r:.40}, expected {HMAC}")
        return self._secret


class KeysInFile:
    """The public keys of a JWKS file, read again when the file changes. Raises InvalidKeys at start."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._changed_at = 0
        self._keys: list[PyJWK] = []
        self._read()

    async def find(self, algorithm: str, kid: str | None) -> PyJWK | str:
        """Return the key with this id, or the only one of the algorithm. Raises KeyNotFound."""
        self._read()
        return _chosen(self._keys, algorithm, kid)

    def _read(self) -> None:
        """Read the file if it has changed; one that is wrong later on leaves the keys as they were."""
        try:
            changed_at = self._path.stat().st_mtime_ns
            if changed_at == self._changed_at:
                return
            self._changed_at = changed_at
            self._keys = PyJWKSet.from_dict(json.loads(self._path.read_text("utf-8"))).keys
        except (OSError, ValueError, AttributeError, PyJWTError) as exc:
            if not self._keys:
                raise InvalidKeys(f"WEB_JWT_JWKS: {self._path} holds no public keys: {exc}") from exc
            logger.warning("keys.unreadable file=%s: %s", self._path, exc)


class KeysAtUrl:
    """The public keys that a login service publishes; asked for on a thread, at most twice a minute."""

    def __init__(self, url: str, *, timeout_s: float = _TIMEOUT_S) -> None:
        self._client = PyJWKClient(url, timeout=timeout_s, lifespan=_FRESH_S)
        self._keys: list[PyJWK] = []
        self._fetched_at = -_FRESH_S

    async def find(self, algorithm: str, kid: str | None) -> PyJWK | str:
        """Return the key with this id, or the only one of the algorithm. Raises KeyNotFound."""
        if time.monotonic() - self._fetched_at < _FRESH_S:
            try:
                return _chosen(self._keys, algorithm, kid)
            except KeyNotFound:
                if kid is None:
                    raise
        await self._fetch(kid)
        return _chosen(self._keys, algorithm, kid)

    async def are_there(self) -> bool:
        """Whether the service hands out at least one key."""
        await self._fetch(None)
        return bool(self._keys)

    async def _fetch(self, kid: str | None) -> None:
        def fetch() -> list[PyJWK]:
            if kid is not None:
                # It asks the service for an unknown id, but not more often than its cooldown allows.
                self._client.get_signing_key(kid)
            return self._client.get_signing_keys()

        try:
            self._keys = await asyncio.to_thread(fetch)
            self._fetched_at = time.monotonic()
        except PyJWKClientConnectionError as exc:
            # Keys that were known stay good: a login service that is away locks nobody out.
            logger.warning("keys.not_fetched url=%s: %s", self._client.uri, exc)
        except PyJWTError as exc:
            logger.info("keys.unknown kid=%.40r url=%s: %s", kid, self._client.uri, exc)


def _chosen(keys: list[PyJWK], algorithm: str, kid: str | None) -> PyJWK:
    if algorithm not in PUBLIC:
        raise KeyNotFound(f"the token is signed with {algorithm!r:.40}, expected {', '.join(sorted(PUBLIC))}")
    fitting = [key for key in keys if key.algorithm_name == algorithm and kid in (None, key.key_id)]
    if len(fitting) != 1:
        raise KeyNotFound(f"{len(fitting)} known keys have the id {kid!r:.40} and the algorithm {algorithm}")
    return fitting[0]
