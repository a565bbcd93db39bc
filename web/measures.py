"""Mounts `/metrics` and `/queues/{queue}/scaling` beside the other routes of any FastAPI application.

Several processes that serve one port put their figures together, as whichever is asked answers for all.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from pydantic import BaseModel

from workers import KafkaBroker
from workers.errors import KafkaUnreachable, NotAuthorized, UnknownQueue
from workers.measures import metrics
from workers.measures.families import Family, Kind
from workers.operations.scaling import Scaling
from workers.serving.answers import Answers
from workers.serving.parts import Part, Parts
from workers.serving.queue_gauges import QueueGauges

from .access import Access

logger = logging.getLogger(__name__)

#: How often a process writes its part.
_EVERY_S = 1.0

#: What the bridge says of itself, under the names of `Bridge.status`.
_BRIDGE: Mapping[str, tuple[str, Kind, str]] = {
    "clients": ("bridge_clients", "gauge", "Clients that are connected."),
    "ring_bytes": ("bridge_ring_bytes", "gauge", "Memory of recent events."),
    "events": ("bridge_events_total", "counter", "Events that somebody may see."),
    "skipped": ("bridge_skipped_total", "counter", "Events whose view failed."),
    "sent": ("bridge_frames_total", "counter", "Frames for clients."),
    "resumed": ("bridge_resumed_total", "counter", "Clients that came back and got what they missed."),
    "scanned": ("bridge_scanned_total", "counter", "Of these, those that got it from the log."),
    "resynced": ("bridge_resynced_total", "counter", "Clients that had to load anew."),
    "too_slow": ("bridge_too_slow_total", "counter", "Clients that were sent away as they read too slowly."),
}


class _Own:
    """The part of this process, where no other shares its port."""

    def __init__(self, families: Callable[[], Sequence[Family]]) -> None:
        self._families = families

    def read(self) -> tuple[list[Part], list[Family]]:
        return [Part(os.getpid(), 0.0, True, self._families())], []


def metrics_router(
    bridge_status: Callable[[], Mapping[str, object]],
    *,
    gauges: QueueGauges | None = None,
    folder: Path | None = None,
) -> APIRouter:
    """Make a router with `/metrics`, which anybody may ask for, as of a probe.

    ``gauges``: figures of the queues are among them. ``folder``: the processes of the same port share it.
    """

    def families() -> list[Family]:
        return [*metrics.families(), *bridge_families(bridge_status())]

    parts = None if folder is None else Parts(folder)
    answers = Answers(parts or _Own(families), gauges=gauges.families if gauges else tuple)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        sharing = asyncio.create_task(_share(parts, families)) if parts else None
        yield
        if sharing and parts:
            sharing.cancel()
            with suppress(asyncio.CancelledError):
                await sharing
            parts.leave()
        if gauges:
            gauges.close()

    router = APIRouter(lifespan=lifespan)

    @router.get("/metrics", tags=["health"], response_class=Response)
    def metrics_of_all(request: Request) -> Response:
        """Return the figures of all processes in the text format of Prometheus."""
        answer = answers.answer("/metrics", request.headers.get("accept", ""))
        return Response(answer.body, answer.status, media_type=answer.content_type)

    return router


class ScaleOfQueue(BaseModel):
    """What an autoscaler should look at; ``paused`` is null where this user may not know it."""

    startable: int
    oldest_s: float
    paused: bool | None


def scaling_router(broker: KafkaBroker, access: Access) -> APIRouter:
    """Make a router with what an autoscaler asks for: `/queues/{queue}/scaling`, for who may look."""
    router, scaling = APIRouter(), Scaling(broker)

    @router.get(
        "/queues/{queue}/scaling",
        tags=["queues"],
        dependencies=[Depends(access.having("viewer", "operator", "admin"))],
    )
    def scaling_of(queue: str) -> ScaleOfQueue:
        """Say how many jobs of a queue more workers could start, and how old the oldest is.

        Those count that are due within half a minute, as a worker takes that long to start; of a queue that
        is paused, none. Where Kafka does not let this server know what is paused, nothing counts as paused,
        and `paused` is null: jobs that find no worker are worse than workers that find no job.
        """
        try:
            found = scaling.of(queue)
        except UnknownQueue as exc:
            raise HTTPException(404, str(exc)) from exc
        except (KafkaUnreachable, NotAuthorized) as exc:
            raise HTTPException(503, str(exc), {"Retry-After": "5"}) from exc
        return ScaleOfQueue(startable=found.startable, oldest_s=found.oldest_s, paused=found.is_paused)

    return router


def bridge_families(status: Mapping[str, object]) -> list[Family]:
    """What the bridge says of itself. Pure."""
    found = [
        Family(name, kind, text, (), {(): (float(str(status[key])),)})
        for key, (name, kind, text) in _BRIDGE.items()
    ]
    away = 0.0 if status["following"] else 1.0
    text = "Processes that do not follow the event log."
    return [*found, Family("bridge_not_following", "gauge", text, (), {(): (away,)})]


async def _share(parts: Parts, families: Callable[[], Sequence[Family]]) -> None:
    told = False
    while True:
        try:
            await asyncio.to_thread(parts.enter)
            await asyncio.to_thread(parts.write, families(), ready=True)
        except OSError as exc:
            if not told:
                logger.warning("measures.not_shared, trying again: %s", exc)
            told = True
        await asyncio.sleep(_EVERY_S)
