"""Looks at the web processes of this machine, for `todo-workers doctor` and `todo-workers status`."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Mapping
from typing import Any

from settings import Settings, load_settings
from workers.errors import WorkersError

from .access import access_from, development_key
from .keys import KeysAtUrl

#: How long a web process may take to answer.
_TIMEOUT_S = 1.0


def check_access() -> str:
    """Say how tokens are checked. Raises NotConfigured and InvalidKeys, or WorkersError if keys are away."""
    settings = load_settings()
    web = settings.web
    if development_key(settings) is not None:
        return f"no key is set: each start makes one for development, as only {web.host} can connect"
    access_from(settings)
    if web.jwt_jwks is None:
        return f"tokens for {web.jwt_audience} are checked by WEB_JWT_SECRET"
    if "://" in web.jwt_jwks and not asyncio.run(KeysAtUrl(web.jwt_jwks).are_there()):
        raise WorkersError(f"no public keys come from {web.jwt_jwks}: check WEB_JWT_JWKS and that service")
    return f"tokens for {web.jwt_audience} are checked by the keys of {web.jwt_jwks}"


def check_bridge() -> str:
    """Say what the bridge does. Raises WorkersError if it runs and does not follow the log."""
    settings = load_settings()
    line, values = _look(settings)
    if values and not values.get("following"):
        raise WorkersError(f"{line}; check its log, and that it reaches Kafka")
    return line


def look_at_bridge() -> tuple[str, Mapping[str, object]]:
    """Return a line about the bridge, and its counts; of one of its processes if there are several."""
    return _look(load_settings())


def _look(settings: Settings) -> tuple[str, Mapping[str, object]]:
    host, port = settings.web.host, settings.web.live_port
    try:
        live = _ask(host, port)
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return f"none answers at {host}:{port}; todo-workers bridge starts one", {}
    follows = "follows the log" if live.get("following") else "DOES NOT FOLLOW THE LOG"
    return f"{host}:{port} {follows}, {live.get('clients')} clients", live


def _ask(host: str, port: int) -> dict[str, Any]:
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/readyz")
        live: dict[str, Any] = json.loads(connection.getresponse().read())["live"]
        return live
    finally:
        connection.close()
