"""The pages, as the dashboard finds them by an entry point."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from tasks.app import broker, database
from tasks.notifications.delivery_store import DeliveryState, DeliveryStore
from tasks.stories.jobs import JobSearch
from tasks.stories.telling import Stories
from workers.errors import WrongUsage

from ..dashboard import Desk, Pages
from ..dashboard.sessions.rights import Permission
from . import audit, reminders
from .asking import asked_of, asking_database, one_of

_SHOWN = 100


def _routes(desk: Desk) -> Sequence[BaseRoute]:
    on_database = asking_database(desk)
    # One for all requests: it bounds how many search at a time.
    search = JobSearch(broker)

    @on_database
    def notifications(request: Request) -> Response:
        asked = asked_of(request, "recipient", "state")
        state = one_of(DeliveryState, asked.get("state"))
        found = DeliveryStore(database()).newest(_SHOWN, recipient=asked.get("recipient"), state=state)
        return desk.render(
            request, "notifications.html", deliveries=found, asked=asked, states=list(DeliveryState)
        )

    @on_database
    def event(request: Request) -> Response:
        asked = asked_of(request, "id")
        if not asked:
            return desk.render(request, "event.html", id="", story=None)
        event_id = _uuid(asked["id"])
        stories = Stories(database(), search.find)
        story = stories.tell(event_id, stories.row_of(event_id))
        return desk.render(request, "event.html", 404 if story.is_empty else 200, id=asked["id"], story=story)

    view = desk.open_to(Permission.VIEW)
    return [
        Route("/notifications", view(notifications), methods=["GET"]),
        Route("/events", view(event), methods=["GET"]),
    ]


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as exc:
        raise WrongUsage(f"{text[:60]!r} is no id of an event, which is a UUID") from exc


pages = Pages(
    links=[
        ("Reminders", "/reminders"),
        ("Notifications", "/notifications"),
        ("Audit", "/audit"),
        ("Events", "/events"),
    ],
    routes=lambda desk: [*reminders.routes(desk), *_routes(desk), *audit.routes(desk)],
    templates=Path(__file__).parent / "templates",
)
