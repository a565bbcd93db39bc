"""Actions on dead letters: begin with a dry run, confirm, watch, stop, resume."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from workers.errors import WrongUsage

from ..actions.runs import FULL_RATE, MAX_LIMIT, Phase, Run
from ..desk import Desk, Viewer
from ..filters import asked, filter_of
from ..sessions.rights import Permission

_NEEDED = {"replay": Permission.REPLAY, "discard": Permission.DISCARD}


def routes(desk: Desk) -> Sequence[BaseRoute]:
    @desk.open_to(Permission.VIEW)
    def look(request: Request) -> Response:
        form: Mapping[str, str] = request.state.form
        verb = form.get("action", "")
        if refused := _refusal(desk, request, verb):
            return refused
        fields = asked(form)
        viewer: Viewer = request.state.viewer
        run = Run(
            verb,
            viewer.session.user,
            filter_of(fields, int(time.time() * 1000)),
            fields,
            limit=_limit(form.get("limit", "")),
            at_once=form.get("at_once") == "yes" and verb == "replay" and "id" in fields,
        )
        desk.runs.look(run)
        return desk.to(request, f"/runs/{run.id}")

    @desk.open_to(Permission.VIEW)
    def show(request: Request) -> Response:
        run = desk.runs.get(request.path_params["id"])
        if run is None:
            return _gone(desk, request)
        # A job that is replayed alone is done within a moment: show the end, not the beginning.
        until = time.monotonic() + (0.5 if run.at_once else 0.1)
        while run.is_active and time.monotonic() < until:
            time.sleep(0.02)
        return desk.render(request, "run.html", run=run, phases=Phase, full_rate=FULL_RATE)

    return [
        Route("/runs", look, methods=["POST"]),
        Route("/runs/{id}", show, methods=["GET"]),
        Route("/runs/{id}", _change(desk), methods=["POST"]),
    ]


def _change(desk: Desk) -> Callable[[Request], Any]:
    """The endpoint that begins a run, or stops it."""

    @desk.open_to(Permission.VIEW)
    def change(request: Request) -> Response:
        run = desk.runs.get(request.path_params["id"])
        if run is None:
            return _gone(desk, request)
        if refused := _refusal(desk, request, run.verb):
            return refused
        form: Mapping[str, str] = request.state.form
        viewer: Viewer = request.state.viewer
        if form.get("do") == "stop":
            desk.runs.stop(run)
        elif form.get("do") == "begin":
            desk.runs.begin(run, viewer.session.user, _rate(form.get("rate", "")))
        return desk.to(request, f"/runs/{run.id}")

    return change


def _refusal(desk: Desk, request: Request, verb: str) -> Response | None:
    needed = _NEEDED.get(verb)
    if needed is None:
        raise WrongUsage("there is no such action")
    viewer: Viewer = request.state.viewer
    return None if needed in viewer.permissions else desk.refuse(request, needed)


def _gone(desk: Desk, request: Request) -> Response:
    said = "Another process began it, or it was long ago. The page Activity has what was done."
    return desk.say(request, "This process does not know that action", said, 404)


def _limit(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 9 and 0 < int(text) <= MAX_LIMIT):
        raise WrongUsage(
            f"{text[:40]!r} is no number of oldest dead letters to pick, which is {MAX_LIMIT:,} at most; "
            "a time can pick more, or all that match"
        )
    return int(text)


def _rate(text: str) -> float | None:
    if not text:
        return None
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 1 <= rate <= 1_000_000:
        raise WrongUsage(f"{text[:40]!r} is no number of jobs a second, which is at least 1")
    return rate
