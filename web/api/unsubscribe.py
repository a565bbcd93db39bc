"""Unsubscribes with one click (RFC 8058): what the header List-Unsubscribe of every mail may name.

Whoever has the link may use it, as mail programs send no token. A GET changes nothing, as scanners of mail
follow links: it shows a page with a button, which posts.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from .problems import ProblemError, described
from .services import Services

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex">
<title>{title}</title>
</head>
<body>
<h1>{title}</h1>
{content}
</body>
</html>
"""
_BUTTON = """<p>You will get no more mails of the kind that brought you here.</p>
<form method="post">
<button name="List-Unsubscribe" value="One-Click">Unsubscribe</button>
</form>"""
_DONE = "<p>You will get no more mails of this kind.</p>"


def add_unsubscribe(router: APIRouter, services: Services) -> None:
    """Add the routes at `/unsubscribe`, for SMTP_UNSUBSCRIBE_URL=https://…/unsubscribe/{id}."""
    shared: dict[str, Any] = {"tags": ["preferences"], "response_class": HTMLResponse}

    @router.get("/unsubscribe/{notice}", responses=described(422), **shared)
    def ask(notice: UUID) -> HTMLResponse:  # noqa: ARG001 - the button posts to the same address
        """Show a page with a button that unsubscribes."""
        return _page("Unsubscribe", _BUTTON)

    @router.post("/unsubscribe/{notice}", responses=described(404, 422, 503), **shared)
    def unsubscribe(notice: UUID) -> HTMLResponse:
        """Send the recipient of this notice no more mails of its kind; whatever the body says."""
        if services.recipients().unsubscribe(notice) is None:
            raise ProblemError(404, f"no mail with the notice {notice} was sent")
        return _page("You are unsubscribed", _DONE)


def _page(title: str, content: str) -> HTMLResponse:
    return HTMLResponse(_PAGE.format(title=title, content=content), headers=_HEADERS)
