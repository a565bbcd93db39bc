"""Relays the outbox in this process, as `todo-workers outbox` does in one of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from workers.outbox.relay import Relay


def relay_router(make_relay: Callable[[], Relay]) -> APIRouter:
    """A router without routes, in whose lifespan a relay runs.

    Of many processes one works and the others stand by. Whether it works or fails, the application serves.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        relay = make_relay()
        relay.start()
        try:
            yield
        finally:
            await asyncio.to_thread(relay.stop)

    return APIRouter(lifespan=lifespan)
