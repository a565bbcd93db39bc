"""Puts the routes together, for `web.app` and for any other FastAPI application."""

from __future__ import annotations

from fastapi import APIRouter

from settings import load_settings

from ..access import Access, access_from
from .events import add_events
from .history import add_history
from .preferences import add_preferences
from .problems import ProblemRoute
from .reminders import add_reminders
from .services import Services, services_of_tasks
from .story import add_story
from .unsubscribe import add_unsubscribe


def kafka_router(*, services: Services | None = None, access: Access | None = None) -> APIRouter:
    """Make a router with all routes of the chatbot: ``app.include_router(kafka_router())``.

    By default it works for the chatbot that the settings describe, and checks tokens as they say. It does no
    I/O and opens connections at the first request. Raises SettingsError, NotConfigured and InvalidKeys.
    """
    if services is None:
        services = services_of_tasks()
    if access is None:
        access = access_from(load_settings())
    # One router: FastAPI looks through each that is in another.
    router = APIRouter(route_class=ProblemRoute)
    add_events(router, services, access)
    add_story(router, services, access)
    add_history(router, services, access)
    add_reminders(router, services, access)
    add_preferences(router, services, access)
    add_unsubscribe(router, services)
    return router
