"""Puts the routes together, for `web.app` and for any other FastAPI application."""

from __future__ import annotations

from fastapi import APIRouter

from settings import load_settings

from ..access import Access, access_from
from .events import events_router
from .history import history_router
from .preferences import preferences_router
from .reminders import reminders_router
from .services import Services, services_of_tasks
from .story import story_router
from .unsubscribe import unsubscribe_router


def kafka_router(*, services: Services | None = None, access: Access | None = None) -> APIRouter:
    """Make a router with all routes of the chatbot: ``app.include_router(kafka_router())``.

    By default it works for the chatbot that the settings describe, and checks tokens as they say. It does no
    I/O and opens connections at the first request. Raises SettingsError, NotConfigured and InvalidKeys.
    """
    if services is None:
        services = services_of_tasks()
    if access is None:
        access = access_from(load_settings())
    router = APIRouter()
    router.include_router(events_router(services, access))
    router.include_router(story_router(services, access))
    router.include_router(history_router(services, access))
    router.include_router(reminders_router(services, access))
    router.include_router(preferences_router(services, access))
    router.include_router(unsubscribe_router(services))
    return router
