"""The composition root: one FastAPI application of the parts of `web`, made from the settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from settings import Settings, load_settings

from .access import Access, access_from


def make_app(settings: Settings | None = None, *, access: Access | None = None) -> FastAPI:
    """Make the application; does no I/O. It starts and ends its parts in its lifespan.

    Raises SettingsError, NotConfigured and InvalidKeys.
    """
    settings = settings or load_settings()
    access = access or access_from(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield

    app = FastAPI(title="todo-workers", lifespan=lifespan)
    app.state.access = access

    @app.get("/livez", tags=["health"])
    async def livez() -> dict[str, str]:
        """Say that the process answers; depends on nothing else."""
        return {"status": "ok"}

    return app
