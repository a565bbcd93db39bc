"""Logging in by a token or a one-time code, in a form, and logging out. Neither is ever in a URL."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from web.access import Access, AccessDenied
from web.keys import KeysAway

from ..desk import Desk
from ..sessions.codes import OneTimeCodes
from ..sessions.cookie import MAX_SESSION_S, NAME, Session
from ..sessions.rights import ROLES, role_of

logger = logging.getLogger(__name__)


def routes(desk: Desk, access: Access | None, codes: OneTimeCodes | None) -> Sequence[BaseRoute]:
    """``access`` checks tokens; ``codes`` are for a start without a key that others could sign with."""

    def form_for(
        request: Request, then: str | None, status: int = 200, problem: str | None = None
    ) -> Response:
        takes_codes = codes is not None
        return desk.render(
            request, "login.html", status, next=_path(then), problem=problem, takes_codes=takes_codes
        )

    async def show(request: Request) -> Response:
        return form_for(request, request.query_params.get("next"))

    async def log_in(request: Request) -> Response:
        form = await desk.form(request)
        given = form.get("token", "").strip()
        try:
            session = await _session(given, access, codes)
        except (AccessDenied, KeysAway) as exc:
            status = 503 if isinstance(exc, KeysAway) else 403
            return form_for(request, form.get("next"), status, str(exc))
        logger.info("dashboard.login user=%r role=%s", session.user, session.role)
        response = desk.to(request, _path(form.get("next")))
        _set_cookie(request, response, desk.cookies.write(session), int(session.ends_at - time.time()))
        return response

    async def log_out(request: Request) -> Response:
        response = desk.to(request, "/login")
        _set_cookie(request, response, "", 0)
        return response

    return [
        Route("/login", show, methods=["GET"]),
        Route("/login", log_in, methods=["POST"]),
        Route("/logout", log_out, methods=["POST"]),
    ]


def _set_cookie(request: Request, response: Response, value: str, max_age_s: int) -> None:
    """Set the session's cookie. If the form came over TLS, it is sent over TLS alone."""
    # Behind a proxy that ends TLS, only the origin tells of it; the guard has checked that it is ours.
    is_over_tls = request.url.scheme == "https" or request.headers.get("origin", "").startswith("https://")
    response.set_cookie(
        NAME,
        value,
        max_age=max_age_s,
        path=request.scope.get("root_path", "") or "/",
        secure=is_over_tls,
        httponly=True,
        samesite="strict",
    )


async def _session(given: str, access: Access | None, codes: OneTimeCodes | None) -> Session:
    """Raises AccessDenied and KeysAway."""
    longest = time.time() + MAX_SESSION_S
    if codes is not None and codes.take(given):
        logger.info("dashboard.code used; the next one is %s", codes.code)
        return Session("developer", "admin", longest)
    if access is None:
        raise AccessDenied("this is not the code of the last line that names one in the log of this start")
    identity = await access.identify(given)
    role = role_of(identity.roles)
    if role is None:
        raise AccessDenied(f"the token has none of the roles {', '.join(ROLES)}")
    return Session(identity.user, role, min(identity.expires_at, longest))


def _path(text: str | None) -> str:
    """A path of the dashboard's own; its first page for anything else."""
    is_own = text and text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable()
    return text if text and is_own and "\\" not in text else "/"
