"""The keys that tokens are signed with: a shared secret, or the public keys of a login service."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from jwt import PyJWK, PyJWKClient, PyJWKSet
from jwt.exceptions import PyJWTError

from workers.errors import WorkersError

logger = logging.getLogger(__name__)

#: The algorithms of public keys; a secret's is HS256 only, so no public key is ever taken for a secret.
PUBLIC = frozenset({"RS256", "ES256", "EdDSA"})
HMAC = "HS256"

#: How long a key from a URL is used before its service is asked again, and how long its answer may take.
_FRESH_S = 300.0
_TIMEOUT_S = 4.0
#: The pause between two questions to the service: tokens with unknown keys, which anybody can send, ask it.
#: Within the pause such a token is not refused, but told to come again: its key may be newer than the last
#: answer. Otherwise whoever keeps sending forged tokens would have people with a new key refused for good.
#: A key with an id that any answer had is not new: if it was withdrawn, its tokens are refused.
_AGAIN_S = 30.0


class InvalidKeys(WorkersError):
    """The file of public keys cannot be read; see WEB_JWT_JWKS."""


class KeyNotFound(WorkersError):
    """No key with the token's `kid` and algorithm is known."""


class KeysAway(WorkersError):
    """The login service cannot be asked for the token's key now; the token may be good."""


class Keys(Protocol):
    """Finds the key of a token; never blocks the event loop."""

    async def find(self, algorithm: str, kid: str | None) -> PyJWK | str:
        """Return the key for a token with this header. Raises KeyNotFound and KeysAway."""


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
    """The public keys that a login service publishes, for one event loop.

    The service is asked on a thread, by one caller for all, and at most every 30 s whatever it answers.
    """

    def __init__(
        self, url: str, *, timeout_s: float = _TIMEOUT_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = PyJWKClient(url, timeout=timeout_s, cache_jwk_set=False)
        self._timeout_s = timeout_s
        self._clock = clock
        self._keys: list[PyJWK] = []
        #: The ids of all keys that an answer had, also of those that were withdrawn since.
        self._ids: set[str | None] = set()
        self._fetched_at = self._tried_at = -math.inf
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, algorithm: str, kid: str | None) -> PyJWK | str:
        """Return the key with this id, or the only one of the algorithm, from those that are known if it can.

        Old keys are used while they are asked for anew: a login service that is slow or away locks nobody
        out. Raises KeyNotFound, or KeysAway if the key can be newer than the last answer: the service has to
        be asked and does not answer, or was asked before this call and may not be asked again now.
        """
        _check_public(algorithm)
        came_at = self._clock()
        if self._clock() - self._fetched_at >= _FRESH_S:
            self._ask()
        try:
            return _chosen(self._keys, algorithm, kid)
        except KeyNotFound:
            if self._keys and kid is None:
                raise
        await self._asked()
        try:
            return _chosen(self._keys, algorithm, kid)
        except KeyNotFound as exc:
            if kid in self._ids:
                raise
            if self._fetched_at < self._tried_at:
                raise KeysAway("the login service that has the public keys does not answer now") from exc
            if self._tried_at < came_at:
                raise KeysAway("the login service was asked for its keys a moment ago; try again") from exc
            raise

    async def are_there(self) -> bool:
        """Whether the service hands out at least one key."""
        await self._asked()
        return bool(self._keys)

    def _ask(self) -> None:
        """Begin to ask the service, unless that goes on already or was done a short time ago."""
        if self._is_asking() or self._clock() - self._tried_at < _AGAIN_S:
            return
        self._fetching = asyncio.create_task(self._fetch())

    def _is_asking(self) -> bool:
        return self._fetching is not None and not self._fetching.done()

    async def _asked(self) -> None:
        """Ask the service if that may be done now, and wait for its answer, but not for ever."""
        self._ask()
        if self._fetching is not None and self._is_asking():
            await asyncio.wait([self._fetching], timeout=self._timeout_s)

    async def _fetch(self) -> None:
        # Set here and not in _ask: whoever came before the question goes out is sure of its answer.
        self._tried_at = self._clock()
        try:
            self._keys = await asyncio.to_thread(self._client.get_signing_keys)
            self._ids.update(key.key_id for key in self._keys)
            self._fetched_at = self._clock()
        except (PyJWTError, OSError, ValueError, AttributeError, TypeError) as exc:
            logger.warning("keys.not_fetched url=%s: %r", self._client.uri, exc)


def _check_public(algorithm: str) -> None:
    if algorithm not in PUBLIC:
        raise KeyNotFound(f"the token is signed with {algorithm!r:.40}, expected {', '.join(sorted(PUBLIC))}")


def _chosen(keys: list[PyJWK], algorithm: str, kid: str | None) -> PyJWK:
    _check_public(algorithm)
    fitting = [key for key in keys if key.algorithm_name == algorithm and kid in (None, key.key_id)]
    if len(fitting) != 1:
        raise KeyNotFound(f"{len(fitting)} known keys have the id {kid!r:.40} and the algorithm {algorithm}")
    return fitting[0]
