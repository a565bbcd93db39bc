"""Gets the tokens that OAUTHBEARER logs in with: from a URL by client credentials, or from a function."""

from __future__ import annotations

import importlib
import json
import logging
import math
import os
import threading
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import kafka.errors
from kafka.net.sasl.oauth import AbstractTokenProvider

from ...errors import WorkersError
from ..cluster import OAuth

logger = logging.getLogger(__name__)

#: How long the token's server may take. The client's I/O thread waits for it.
_TIMEOUT_S = 5.0
#: The share of a token's lifetime after which another one is asked for.
_RENEW_AFTER = 0.8
#: The lifetime of a token whose server states none.
_LIFETIME_S = 300.0
#: How long the server is left alone once it has given none.
_RETRY_AFTER_S = 5.0


class NoToken(kafka.errors.SaslAuthenticationFailedError):  # type: ignore[misc]
    """No token came, so there was no login."""


class ClientCredentials(AbstractTokenProvider):  # type: ignore[misc]
    """Asks the URL for a token by client id and secret, and keeps it until most of its lifetime is over.

    If none comes then, it keeps the old one as long as that is valid, and asks again after some seconds: all
    clients of the process ask here, and each would wait for the server in its turn.
    """

    def __init__(self, oauth: OAuth) -> None:
        self._oauth = oauth
        self._lock = threading.Lock()
        self._token = ""
        self._renew_at = self._valid_until = 0.0
        self._failure = ""

    def token(self) -> str:
        """A valid token. Blocks for some seconds at most; raises NoToken."""
        with self._lock:
            if time.monotonic() >= self._renew_at:
                self._renew()
            if time.monotonic() >= self._valid_until:
                raise NoToken(self._failure)
            return self._token

    def _renew(self) -> None:
        try:
            answer = self._ask()
            lifetime_s = _lifetime_s(answer)
        except NoToken as exc:
            (self._failure,) = exc.args
            self._renew_at = time.monotonic() + _RETRY_AFTER_S
            if time.monotonic() < self._valid_until:
                logger.warning("token not renewed, the old one is used as long as it is valid: %s", exc)
            return
        self._token = str(answer["access_token"])
        self._renew_at = time.monotonic() + lifetime_s * _RENEW_AFTER
        self._valid_until = time.monotonic() + lifetime_s

    def _ask(self) -> dict[str, Any]:
        oauth = self._oauth
        fields = {
            "grant_type": "client_credentials",
            "client_id": oauth.client_id,
            "client_secret": oauth.client_secret,
        }
        if oauth.scope:
            fields["scope"] = oauth.scope
        request = Request(str(oauth.token_url), urlencode(fields).encode(), {"Accept": "application/json"})  # noqa: S310 - the settings allow https, and http on this machine
        try:
            with urlopen(request, timeout=_TIMEOUT_S) as response:  # noqa: S310
                answer: dict[str, Any] = json.load(response)
        except HTTPError as exc:
            said = exc.read(200).decode(errors="backslashreplace")
            raise NoToken(f"{oauth.token_url} gave no token: {exc.code} {exc.reason}: {said}") from exc
        except (OSError, ValueError) as exc:
            reason = getattr(exc, "reason", exc)
            raise NoToken(f"{oauth.token_url} gave no token: {reason}") from exc
        if "access_token" not in answer:
            raise NoToken(f"{oauth.token_url} gave no token: its answer has no access_token")
        return answer


def _lifetime_s(answer: Mapping[str, Any]) -> float:
    """How long a token is valid; some servers write the number as text. Raises NoToken."""
    told = answer.get("expires_in") or _LIFETIME_S
    try:
        lifetime_s = float(told)
    except (TypeError, ValueError, OverflowError):
        lifetime_s = 0.0
    if not 0 < lifetime_s < math.inf:
        raise NoToken(f"the token that came has expires_in={told!r:.40}, which is no number of seconds")
    return lifetime_s


class FromFunction(AbstractTokenProvider):  # type: ignore[misc]
    """Calls a function of the application for each login; that keeps the token as long as it is valid."""

    def __init__(self, path: str) -> None:
        """Raises WorkersError if there is no such function."""
        self._path = path
        module, _, name = path.partition(":")
        try:
            self._function = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as exc:
            raise WorkersError(f"KAFKA_OAUTH_TOKEN_PROVIDER={path} cannot be loaded: {exc}") from exc

    def token(self) -> str:
        """The function's token. Raises NoToken."""
        try:
            token = self._function()
        except Exception as exc:
            raise NoToken(f"{self._path} gave no token: {type(exc).__name__}: {exc}") from exc
        if not isinstance(token, str):
            raise NoToken(f"{self._path} gave {type(token).__name__}, a token is text")
        return token


@lru_cache(maxsize=16)
def token_provider(oauth: OAuth) -> AbstractTokenProvider:
    """The provider of these settings; all clients share it, and its token. Raises WorkersError."""
    return FromFunction(oauth.provider) if oauth.provider else ClientCredentials(oauth)


os.register_at_fork(after_in_child=token_provider.cache_clear)  # a thread of the parent may hold a lock
