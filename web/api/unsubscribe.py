"""Unsubscribes with one click (RFC 8058): what the header List-Unsubscribe of every mail may name.

Whoever has the link may use it, as mail programs send no token; so the link is signed. A GET changes nothing,
as scanners of mail follow links: it shows a page with a button, which posts.
"""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path
from starlette.responses import HTMLResponse

from tasks.notifications.unsubscribe_links import notice_in

from .problems import ProblemError, described
from .services import Services

#: What a link names: a notice's id and its signature.
Link = Annotated[str, Path(max_length=200)]

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
    """Add the routes at `/unsubscribe`, for SMTP_UNSUBSCRIBE_URL=https://…/unsubscribe/{id}.

    They take the links that are signed with the services' secret, and no other.
    """
    shared: dict[str, Any] = {"tags": ["preferences"], "response_class": HTMLResponse}

    @router.get("/unsubscribe/{link}", responses=described(404, 422), **shared)
    def ask(link: Link) -> HTMLResponse:
        """Show a page with a button that unsubscribes."""
        _notice_in(link, services)
        return _page("Unsubscribe", _BUTTON)  # the button posts to the same address

    @router.post("/unsubscribe/{link}", responses=described(404, 422, 503), **shared)
    def unsubscribe(link: Link) -> HTMLResponse:
        """Send the recipient of the notice in a link no more mails of its kind; whatever the body says."""
        notice = _notice_in(link, services)
        if services.recipients().unsubscribe(notice) is None:
            raise ProblemError(404, f"no mail with the notice {notice} was sent")
        return _page("You are unsubscribed", _DONE)


def _notice_in(link: str, services: Services) -> UUID:
    if services.unsubscribe_secret is None:
        raise ProblemError(404, "nobody unsubscribes by a link here: SMTP_UNSUBSCRIBE_SECRET is not set")
    notice = notice_in(link, services.unsubscribe_secret)
    if notice is None:
        raise ProblemError(404, "this is not the link of a mail: its signature is missing or wrong")
    return notice


def _page(title: str, content: str) -> HTMLResponse:
    return HTMLResponse(_PAGE.format(title=title, content=content), headers=_HEADERS)
