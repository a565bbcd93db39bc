"""Actions on dead letters: begin with a dry run, confirm, watch, stop, resume."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from workers.errors import WrongUsage
from workers.operations.logged_runs import Phase

from ..actions.run import FULL_RATE, Run
from ..actions.runs import MAX_LIMIT
from ..desk import Desk, Viewer
from ..filters import asked, filter_of
from ..sessions.rights import Permission

#: The id of a run, as :class:`Run` makes it.
_ID = re.compile("[0-9a-f]{12}")
#: How long a run that acts at once may take until it begins.
_BEGINS_S = 3.0
#: Why a run that acts at once is in no log.
_UNKNOWN = (
    "A replay is written into the log before it begins, and the log has none so far. The dead letter was "
    "gone, as somebody had replayed or discarded it; or the process that was asked has ended, or still looks "
    "for it. Dead letters and Activity have what is and what was done."
)
_NEEDED = {"replay": Permission.REPLAY, "discard": Permission.DISCARD}


def routes(desk: Desk) -> Sequence[BaseRoute]:
    @desk.open_to(Permission.VIEW)
    def look(request: Request) -> Response:
        form: Mapping[str, str] = request.state.form
        if refused := _refusal(desk, request, form.get("action", "")):
            return refused
        return _looked(desk, request, _run(desk, request, form))

    @desk.open_to(Permission.VIEW)
    def show(request: Request) -> Response:
        run = _found(desk, request)
        if run is None and "at_once" in request.query_params:
            return desk.say(request, "No replay is known", _UNKNOWN, 404)
        if run is None:
            return _look_anew(desk, request, request.query_params)
        # A job that is replayed alone is done within a moment: show the end, not the beginning.
        until = time.monotonic() + (0.5 if run.at_once else 0.1)
        while run.is_active and not run.is_elsewhere and time.monotonic() < until:
            time.sleep(0.02)
        return desk.render(request, "run.html", run=run, phases=Phase, full_rate=FULL_RATE)

    return [
        Route("/runs", look, methods=["POST"]),
        Route("/runs/{id}", show, methods=["GET"]),
        Route("/runs/{id}", _change(desk), methods=["POST"]),
    ]


def _found(desk: Desk, request: Request) -> Run | None:
    """A run; for one that another process begins at once, it waits until the log has that."""
    until = time.monotonic() + (_BEGINS_S if "at_once" in request.query_params else 0.0)
    while (run := desk.runs.get(request.path_params["id"])) is None and time.monotonic() < until:
        time.sleep(0.1)
    return run


def _change(desk: Desk) -> Callable[[Request], Any]:
    """The endpoint that begins a run, or stops it."""

    @desk.open_to(Permission.VIEW)
    def change(request: Request) -> Response:
        run = desk.runs.get(request.path_params["id"])
        form: Mapping[str, str] = request.state.form
        if run is None:
            return _look_anew(desk, request, form)
        if refused := _refusal(desk, request, run.verb):
            return refused
        viewer: Viewer = request.state.viewer
        if form.get("do") == "stop":
            desk.runs.stop(run, viewer.session.user)
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


def _run(desk: Desk, request: Request, values: Mapping[str, str], run_id: str | None = None) -> Run:
    """The run that a form asks for. Raises WrongUsage."""
    verb = values.get("action", "")
    fields = asked(values)
    viewer: Viewer = request.state.viewer
    if "text" in fields and desk.hidden_from(viewer):
        # How many match would tell, guess by guess, what is in a masked field.
        raise WrongUsage(
            "a text is also searched in fields that are hidden from you; filter by the exception or the kind "
            "of error instead"
        )
    run = Run(
        verb,
        viewer.session.user,
        filter_of(fields, int(time.time() * 1000)),
        fields,
        limit=_limit(values.get("limit", "")),
        at_once=values.get("at_once") == "yes" and verb == "replay" and "id" in fields,
    )
    run.id = run_id or run.id
    return run


def _looked(desk: Desk, request: Request, run: Run) -> Response:
    desk.runs.look(run)
    return desk.to(request, f"/runs/{run.id}", **run.query)


def _look_anew(desk: Desk, request: Request, values: Mapping[str, str]) -> Response:
    """Look here for a run that another process has looked for and nobody has begun; it is confirmed anew."""
    run_id = request.path_params["id"]
    if not (_ID.fullmatch(run_id) and "action" in values):
        return desk.say(request, "There is no such action", "Activity has what was done.", 404)
    if refused := _refusal(desk, request, values["action"]):
        return refused
    return _looked(desk, request, replace(_run(desk, request, values, run_id), at_once=False))


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
