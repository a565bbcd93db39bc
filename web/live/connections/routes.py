"""Mounts the live events beside the routes of any FastAPI application."""

from __future__ import annotations

from fastapi import FastAPI, Response
from starlette.routing import Route

from ...access import Access
from ..bridge import Bridge
from .admission import Admission
from .stream import LiveStream
from .websocket import LiveSocket

SOCKET_PATH, STREAM_PATH = "/live", "/stream"


def add_live(app: FastAPI, *, bridge: Bridge, access: Access, admission: Admission) -> None:
    """Add the WebSocket and the stream. Call it last, so that a connection passes through nothing else.

    The application starts and stops the bridge in its lifespan.
    """
    stream = LiveStream(bridge=bridge, access=access, admission=admission)
    app.router.routes.append(Route(STREAM_PATH, stream, methods=["GET"]))
    app.add_middleware(LiveSocket, bridge=bridge, access=access, admission=admission, path=SOCKET_PATH)


def add_health(app: FastAPI, bridge: Bridge) -> None:
    """Add `/livez` and `/readyz`."""

    @app.get("/livez", tags=["health"])
    async def livez() -> dict[str, str]:
        """Say that the process answers; depends on nothing else."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["health"])
    async def readyz(response: Response) -> dict[str, object]:
        """Say whether clients can be served, and what the bridge does."""
        ready = bridge.is_ready
        response.status_code = 200 if ready else 503
        return {"status": "ok" if ready else "not ready", "live": bridge.status()}
