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

from ..desk import Desk, Viewer
from ..sessions.rights import Permission

_MAX_CHARS = 500


def routes(desk: Desk) -> Sequence[BaseRoute]:
    controls = desk.broker.controls

    @desk.open_to(Permission.PAUSE)
    def pause(request: Request) -> Response:
        form, who, name = _asked(request)
        desk.broker.require_queue(name)
        until = form.get("for", "").strip()
        for_s = parse_length(until).total_seconds() if until else None
        controls.check_pause(name, for_s)
        desk.actions.write(who, "pause", {"queue": name, "for": until, "why": form.get("why", "")})
        controls.pause(name, who=who, why=form.get("why", ""), for_s=for_s)
        return desk.to(request, f"/queues/{name}")

    @desk.open_to(Permission.PAUSE)
    def resume(request: Request) -> Response:
        _, who, name = _asked(request)
        desk.broker.require_queue(name)
        desk.actions.write(who, "resume", {"queue": name})
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
        controls.check_switch(where, form.get("then", ""))
        desk.actions.write(who, "switch off", {**form, "then": form.get("then", "")})
        controls.switch(where, form.get("then", ""), who=who, why=form.get("why", ""))
        return desk.to(request, "/switches")

    @desk.open_to(Permission.SWITCH)
    def lift(request: Request) -> Response:
        _, who, name = _asked(request)
        desk.actions.write(who, "lift switch", {"switch": name})
        controls.lift(name, who=who)
        return desk.to(request, "/switches")

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
