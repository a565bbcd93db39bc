"""The composition root: one FastAPI application of the parts of `web`, made from the settings.

It is the only module of `web` that imports `tasks` as a whole, whose broker it takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import RedirectResponse

from settings import Settings, load_settings
from tasks.app import broker, event_log, update_log
from tasks.outbox import outbox_relay
from workers.from_settings import cluster_from
from workers.serving.queue_gauges import QueueGauges
from workers.traces.environment import flush

from .access import Access, DevelopmentKey, access_from
from .api import kafka_router
from .api.problems import add_problems
from .dashboard import DASHBOARD_AT, Dashboard, dashboard, first_code, installed_pages
from .live.bridge import Bridge, Limits
from .live.connections.admission import Admission
from .live.connections.routes import add_health, add_live
from .measures import metrics_router, scaling_router
from .page import add_page
from .reference import add_reference
from .relaying import relay_router

#: The applications: all parts, or the live events alone.
Kind = Literal["web", "bridge"]


def _is_untraced(scope: Mapping[str, Any]) -> bool:
    """Whether a request has no span: all but those that publish, as addresses of others tell of people."""
    return scope["type"] != "http" or (scope["method"], scope["path"]) != ("POST", "/events")


#: What FastAPI does about OpenTelemetry once there is a provider. A request is one span; its events follow.
_TRACES: TelemetryConfig = {
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
    "exclude": _is_untraced,
}


@dataclass(frozen=True)
class Parts:
    """The parts of an application that live longer than a request."""

    settings: Settings
    access: Access
    bridge: Bridge
    #: None: the application is the bridge alone.
    dashboard: Dashboard | None
    #: Where the processes of one port share their figures; None where there is only one.
    measures: Path | None = None

    def end_streams(self) -> None:
        """End what would keep a server from stopping, but for the bridge's; does not block."""
        if self.dashboard is not None:
            self.dashboard.end_streams()


def make_parts(
    settings: Settings | None = None,
    access: Access | None = None,
    measures: Path | None = None,
    *,
    kind: Kind = "web",
    development: DevelopmentKey | None = None,
    session_secret: str | None = None,
) -> Parts:
    """Make the parts of an application; does no I/O. Raises SettingsError, NotConfigured and InvalidKeys.

    ``development`` is the key of a start for which none is set. ``session_secret`` signs the dashboard's
    sessions if no setting has a secret for that; without it, they end with this process.
    """
    settings = settings or load_settings()
    web = settings.web
    limits = Limits(
        connections=web.connections,
        per_user=web.connections_per_user,
        per_address=web.connections_per_address,
        ring_bytes=web.ring_mb * 1024 * 1024,
        resume=web.resume,
    )
    topics = [event_log] if update_log is None else [event_log, update_log]
    bridge = Bridge(cluster_from(settings), topics, limits=limits, prepare=broker.prepare)
    access = access or access_from(settings, development)
    desk = _dashboard(settings, access, development, session_secret) if kind == "web" else None
    return Parts(settings, access, bridge, desk, measures)


def _dashboard(
    settings: Settings, access: Access, development: DevelopmentKey | None, session_secret: str | None
) -> Dashboard:
    web = settings.web
    given = web.session_secret or web.jwt_secret
    return dashboard(
        broker,
        access=access,
        code=first_code(development.secret) if development else None,
        session_secret=given.get_secret_value() if given else session_secret,
        read_only=web.read_only == "on",
        origins=web.origins,
        pages=installed_pages(),
    )


def make_app(parts: Parts | None = None) -> FastAPI:
    """Make the application of its parts: all of them, or the live events alone.

    A part is added by one line, before the live events. What a part has to start and stop is in the lifespan
    of its router. The page is the last, as it answers all paths that are left.
    """
    parts = parts or make_parts()
    app = _bare_app(parts)
    if parts.dashboard is None:
        app.include_router(metrics_router(parts.bridge.status, gauges=None, folder=parts.measures))
        _add_live(app, parts)
        return app
    app.include_router(kafka_router(access=parts.access))
    app.include_router(scaling_router(broker, parts.access))
    app.include_router(relay_router(outbox_relay))
    app.include_router(metrics_router(parts.bridge.status, gauges=QueueGauges(broker), folder=parts.measures))
    # The framework's own redirect would name a scheme, which is another one before a proxy that ends TLS.
    app.add_route(DASHBOARD_AT, lambda _: RedirectResponse(f"{DASHBOARD_AT}/"), include_in_schema=False)
    app.mount(DASHBOARD_AT, parts.dashboard)
    _add_live(app, parts)
    add_page(app, parts.settings.web.page)
    return app


def _bare_app(parts: Parts) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await parts.bridge.start()
        try:
            yield
        finally:
            await parts.bridge.stop()
            if parts.dashboard is not None:
                await asyncio.to_thread(parts.dashboard.close)
            await asyncio.to_thread(broker.close)
            await asyncio.to_thread(flush)

    # The framework's own pages run a script of another host, which could act with a dashboard's session.
    app = FastAPI(title="todo-workers", lifespan=lifespan, telemetry=_TRACES, docs_url=None, redoc_url=None)
    app.state.access = parts.access
    add_problems(app)
    add_health(app, parts.bridge)
    add_reference(app)
    return app


def _add_live(app: FastAPI, parts: Parts) -> None:
    web, bridge = parts.settings.web, parts.bridge
    limits = bridge.limits
    admission = Admission(origins=web.origins, connections=limits.connections, per_address=limits.per_address)
    if web.origins:  # it costs each request a tenth of what an event does, and would allow nobody anything
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(web.origins),
            allow_headers=["authorization", "last-event-id", "content-type"],
            allow_methods=["*"],
        )
    add_live(app, bridge=bridge, access=parts.access, admission=admission)
