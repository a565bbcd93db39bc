"""Guards every request: where it comes from, how large it is, and what a browser may do with the answer."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from contextlib import suppress
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: The longest query of a URL, and the longest body of a form: a job's arguments may be in it.
MAX_QUERY_BYTES = 8 * 1024
MAX_BODY_BYTES = 4 * 1024 * 1024

#: What a browser may do with every page.
HEADERS = {
    "content-security-policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Not no-referrer: with that, browsers send `Origin: null` with our own forms.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class Guard:
    """An ASGI middleware for the whole dashboard.

    ``only_local``: only this machine may ask, and only by a name of its own, so that no page elsewhere can
    have its name lead here. ``origins`` are further ones that forms may come from, for a proxy that changes
    the host.
    """

    def __init__(self, app: ASGIApp, *, only_local: bool, origins: Collection[str] = ()) -> None:
        self._app = app
        self._only_local = only_local
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1000})
            return
        headers = Headers(scope=scope)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                found = MutableHeaders(raw=message["headers"])
                for name, value in HEADERS.items():
                    found[name] = value
                found.setdefault("cache-control", "no-store")
                # It leads to a path without the last slash; before a proxy that ends TLS, the scheme differs.
                if found.get("location", "").startswith("http://"):
                    found["location"] = found["location"].removeprefix("http:")
                message["headers"] = found.raw
            await send(message)

        refusal = self._refusal(scope, headers)
        if refusal is not None:
            status, why = refusal
            await PlainTextResponse(why + "\n", status)(scope, receive, send_guarded)
            return
        await self._app(scope, _limited(receive), send_guarded)

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        """The status and the reason why the request is not answered; None if it is."""
        if self._only_local and not _is_local(scope, headers):
            return 403, (
                "This dashboard answers only this machine, by the name localhost: no key is set by which "
                "it could tell who you are. Set WEB_JWT_SECRET or WEB_JWT_JWKS."
            )
        if len(scope.get("query_string", b"")) > MAX_QUERY_BYTES:
            return 414, f"The query of this address has more than {MAX_QUERY_BYTES} bytes."
        if scope["method"] in {"GET", "HEAD"}:
            return None
        if scope["method"] != "POST":
            return 405, "Only GET and POST are known here."
        if headers.get("sec-fetch-site", "same-origin") != "same-origin" or not self._is_own(headers):
            return 403, "This form was sent from another site, or does not say from where. Nothing was done."
        return None

    def _is_own(self, headers: Headers) -> bool:
        origin = headers.get("origin", "")
        if origin in self._origins:
            return True
        with suppress(ValueError):
            return bool(origin) and urlsplit(origin).netloc == headers.get("host")
        return False


def _is_local(scope: Scope, headers: Headers) -> bool:
    client = scope.get("client")
    with suppress(ValueError):
        host = urlsplit(f"//{headers.get('host', '')}").hostname
        return client is not None and ipaddress.ip_address(client[0]).is_loopback and host in _LOCAL_NAMES
    return False


def _limited(receive: Receive) -> Receive:
    """``receive`` that raises HTTPException 413 once the body is larger than allowed."""
    size = 0

    async def limited() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MAX_BODY_BYTES:
            raise HTTPException(413, "This form is too large. Nothing was done.")
        return message

    return limited
