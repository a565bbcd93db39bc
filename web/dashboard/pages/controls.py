"""Pausing queues and switching jobs off, with who has confirmed it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from workers.cli.times import parse_length
from workers.controls.then import Then
from workers.dead_letters.filter import Filter, parse_place
from workers.errors import WrongUsage
from workers.operations import switches as operations
from workers.operations.logged import LoggedControls

from ..desk import Desk, Viewer
from ..sessions.rights import Permission

_MAX_CHARS = 500
#: How long a lift waits for others that act on dead letters: whoever has sent the form waits for the answer.
_OTHERS_S = 10.0


def routes(desk: Desk) -> Sequence[BaseRoute]:
    controls = LoggedControls(desk.broker.controls, desk.actions.write)

    @desk.open_to(Permission.PAUSE)
    def pause(request: Request) -> Response:
        form, who, name = _asked(request)
        desk.broker.require_queue(name)
        until = form.get("for", "").strip()
        for_s = parse_length(until).total_seconds() if until else None
        controls.pause(name, who=who, why=form.get("why", ""), for_s=for_s)
        return desk.to(request, f"/queues/{name}")

    @desk.open_to(Permission.PAUSE)
    def resume(request: Request) -> Response:
        _, who, name = _asked(request)
        desk.broker.require_queue(name)
        controls.resume(name, who=who)
        return desk.to(request, f"/queues/{name}")

    @desk.open_to(Permission.VIEW)
    def switches(request: Request) -> Response:
        desk.first_look()
        return desk.render(request, "switches.html", snapshot=desk.snapshots.latest, kinds=list(Then))

    @desk.open_to(Permission.SWITCH)
    def add(request: Request) -> Response:
        form, who, _ = _asked(request)
        where = _where(form)
        controls.switch(where, form.get("then", ""), who=who, why=form.get("why", ""))
        return desk.to(request, "/switches")

    @desk.open_to(Permission.SWITCH)
    def lift(request: Request) -> Response:
        _, who, name = _asked(request)
        lifted = operations.lift(desk.broker, name, who=who, write=desk.actions.write, most_s=_OTHERS_S)
        done = f"{lifted.resolution.done:,} of {lifted.held:,} held jobs were replayed, in their order."
        if lifted.is_complete:
            return desk.say(request, "The switch is lifted", f"{lifted.confirmation}. {done}")
        unheard = ", ".join((*lifted.confirmation.missing, *lifted.confirmation.silent))
        if unheard:
            done = f"Nothing was replayed, as these would hold it again: {unheard}. Lift it again then."
        if lifted.problem is not None:
            done = f"{done} It ended early: {lifted.problem}. Lift it again for the rest."
        title = "The switch is lifted, but not all is replayed"
        return desk.say(request, title, f"{lifted.confirmation}. {done}")

    return [
        Route("/queues/{name}/pause", pause, methods=["POST"]),
        Route("/queues/{name}/resume", resume, methods=["POST"]),
        Route("/switches", switches, methods=["GET"]),
        Route("/switches", add, methods=["POST"]),
        Route("/switches/{name}/lift", lift, methods=["POST"]),
    ]


def _asked(request: Request) -> tuple[Mapping[str, str], str, str]:
    """The form, who sends it, and the name in the path. Raises WrongUsage for a field that is too long."""
    form: Mapping[str, str] = request.state.form
    for name, value in form.items():
        if len(value) > _MAX_CHARS:
            raise WrongUsage(f"{name} has {len(value):,} characters; at most {_MAX_CHARS} are kept")
    viewer: Viewer = request.state.viewer
    return form, viewer.session.user, request.path_params.get("name", "")


def _where(form: Mapping[str, str]) -> Filter:
    place = form.get("where", "").strip()
    try:
        places = (parse_place(place),) if place else ()
    except ValueError as exc:
        raise WrongUsage(str(exc)) from exc
    return Filter(queue=form.get("queue") or None, actor=form.get("actor", "").strip() or None, where=places)
