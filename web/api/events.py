"""The route that publishes events, for services and for Dapr's sidecar."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict
from pydantic_core import to_json

from tasks.events.accepted import Accepted, accept
from workers.broker.sending import Written
from workers.errors import WorkersError
from workers.records.sources import Incoming
from workers.traces.active import creating

from ..access import Access
from .asking import PUBLISHER, Asking
from .cloud_events_http import NotRead, TooMany, WrongContentType, events_in, is_batch
from .event_examples import REQUEST_BODY
from .problems import MEDIA_TYPE, ProblemError, answer_to, described, status_of
from .services import Services

logger = logging.getLogger(__name__)

#: The largest body that is read.
MAX_BODY_BYTES = 8 * 1024 * 1024
#: A larger body is checked on a thread: it takes longer than the event loop may be held up.
_QUICK_BYTES = 32 * 1024
_TOKEN_HEADER = "dapr-api-token"  # noqa: S105 - its name


_EXAMPLE: dict[str, Any] = {
    "id": "5f8d2c1e-0c4e-4b5e-9a55-3d1b8f0a6c11",
    "topic": "todo.events",
    "partition": 5,
    "offset": 1042,
}


class Published(BaseModel):
    """An event that all in-sync replicas of the event log have, and its place there.

    ``id`` is that of the CloudEvent if it is a UUID, else one that is made of source and id. Everything else
    knows the event by it.
    """

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    id: str
    topic: str
    partition: int
    offset: int


class PublishedBatch(BaseModel):
    """The events of a batch, in its order."""

    events: list[Published]


class DaprStatus(BaseModel):
    """The answer to Dapr: SUCCESS, RETRY, or DROP."""

    model_config = ConfigDict(json_schema_extra={"example": {"status": "SUCCESS"}})

    status: str


class Subscription(BaseModel):
    """What Dapr's sidecar is to subscribe to, and where it delivers that."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"pubsubname": "inbox", "topic": "todo-events", "route": "/events"}}
    )

    pubsubname: str
    topic: str
    route: str


def add_events(router: APIRouter, services: Services, access: Access) -> None:
    """Add the routes `POST /events` and `GET /dapr/subscribe`."""
    publisher = Asking(access, PUBLISHER)

    @router.post(
        "/events",
        tags=["events"],
        status_code=202,
        response_model=Published | PublishedBatch,
        responses=described(400, 401, 403, 413, 415, 422, 503)
        | {200: {"model": DaprStatus, "description": "To Dapr."}},
        openapi_extra={"requestBody": REQUEST_BODY, "security": [{"token": []}]},
    )
    async def publish_events(request: Request) -> Response:
        """Publish a CloudEvent, in structured or binary mode, or a batch of them.

        The answer comes once all in-sync replicas have it. The same id again is the same event: its effects
        happen once, so send an event again whenever it is not known whether it arrived. An event that is
        wrong is not published; if one of a batch is, none is, and the problem says which.

        This needs the role publisher. Dapr's sidecar needs its token instead, and gets 200 with a status.
        """
        headers = _headers_of(request)
        if _is_of_dapr(headers, services.dapr.token):
            return _json(200, {"status": await _take_from_dapr(request, headers, services)})
        # Not as a dependency: to solve one takes FastAPI as long as to check the event.
        await publisher(request)
        accepted = await _accepted(request, headers, services.event_log)
        places = await services.write_events([one.record for one in accepted])
        published = _published(accepted, places)
        if is_batch(headers.get("content-type", "")):
            return _json(202, {"events": published})
        return _json(202, published[0])

    @router.get("/dapr/subscribe", tags=["dapr"], responses=described(401))
    async def subscribe(request: Request) -> list[Subscription]:
        """Say what Dapr's sidecar is to subscribe to: nothing, unless WEB_DAPR_PUBSUB is set."""
        dapr = services.dapr
        if dapr.pubsub is None:
            return []
        if not _is_of_dapr(request.headers, dapr.token):
            raise ProblemError(401, f"send WEB_DAPR_TOKEN in the header {_TOKEN_HEADER}")
        route = str(request.app.url_path_for("publish_events"))
        return [Subscription(pubsubname=dapr.pubsub, topic=dapr.topic, route=route)]


def _headers_of(request: Request) -> dict[str, str]:
    """The headers; of several with one name, the first. Starlette looks through all of them for each one."""
    raw: list[tuple[bytes, bytes]] = request.scope["headers"]
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(raw)}


def _json(status: int, content: object) -> Response:
    return Response(to_json(content), status, media_type="application/json")


def _is_of_dapr(headers: Mapping[str, str], token: str | None) -> bool:
    given = headers.get(_TOKEN_HEADER)
    return bool(token and given) and secrets.compare_digest(str(given).encode(), str(token).encode())


async def _accepted(request: Request, headers: Mapping[str, str], event_log: str) -> Sequence[Accepted]:
    """Read and check the events of a request, which are for the event log.

    Raises ProblemError, and what :func:`accept` raises.
    """
    body = await _body(request, headers)
    now_ms = int(time.time() * 1000)
    if len(body) <= _QUICK_BYTES:
        return _checked(headers, body, now_ms, event_log)
    return await asyncio.to_thread(_checked, headers, body, now_ms, event_log)


async def _body(request: Request, headers: Mapping[str, str]) -> bytes:
    """The body. Raises ProblemError if it is too large, without reading more of it."""
    stated = headers.get("content-length", "0")
    parts: list[bytes] = []
    size = int(stated) if stated.isdecimal() else 0
    if size <= MAX_BODY_BYTES:
        size = 0
        async for part in request.stream():
            size += len(part)
            if size > MAX_BODY_BYTES:
                break
            parts.append(part)
    if size > MAX_BODY_BYTES:
        raise ProblemError(
            413, f"the body has more than {MAX_BODY_BYTES} bytes; send fewer or smaller events"
        )
    return b"".join(parts)


def _checked(headers: Mapping[str, str], body: bytes, now_ms: int, event_log: str) -> Sequence[Accepted]:
    try:
        sent = events_in(headers, body, now_ms)
    except WrongContentType as exc:
        raise ProblemError(415, str(exc)) from exc
    except NotRead as exc:
        raise ProblemError(400, str(exc)) from exc
    except TooMany as exc:
        raise ProblemError(413, str(exc)) from exc
    with creating(event_log) as context:
        if not is_batch(headers.get("content-type", "")):
            return [accept(sent[0], context)]
        return _all_or_none(sent, context)


def _all_or_none(sent: Sequence[Incoming], context: Mapping[str, str]) -> Sequence[Accepted]:
    """Check a batch. Raises ProblemError, which says which of its events are wrong, and why."""
    accepted: list[Accepted] = []
    wrong: list[dict[str, Any]] = []
    status = 0
    for index, one in enumerate(sent):
        try:
            accepted.append(accept(one, context))
        except WorkersError as exc:
            status = status or status_of(exc)
            wrong.append({"index": index, "detail": str(exc)})
    if wrong:
        raise ProblemError(
            status, f"{len(wrong)} of {len(sent)} events are wrong; none was published", errors=wrong
        )
    return accepted


def _published(
    accepted: Sequence[Accepted], places: Sequence[Written | WorkersError]
) -> list[dict[str, object]]:
    """What to answer. Raises the error of an only event, and for a batch ProblemError, which says which."""
    if len(places) == 1 and isinstance(places[0], WorkersError):
        raise places[0]
    failed = [(index, place) for index, place in enumerate(places) if isinstance(place, WorkersError)]
    if failed:
        answer = status_of(failed[0][1])
        logger.warning("events.not_published count=%d of=%d: %s", len(failed), len(places), failed[0][1])
        raise ProblemError(
            answer,
            f"{len(failed)} of {len(places)} events may not have been published; send the batch again",
            headers={"Retry-After": "5"},
            errors=[{"index": index, "detail": "not confirmed by Kafka"} for index, _ in failed],
        )
    return [
        {"id": str(one.event.event_id), **place._asdict()}
        for one, place in zip(accepted, places, strict=True)
        if isinstance(place, Written)
    ]


async def _take_from_dapr(request: Request, headers: Mapping[str, str], services: Services) -> str:
    """Publish what Dapr delivers, and return the status that it knows: nothing is dropped unlogged."""
    try:
        accepted = await _accepted(request, headers, services.event_log)
        for one in accepted:
            if (one.event.cloudevent.model_extra or {}).get("topic") == services.event_log:
                logger.warning("dapr.dropped id=%s: it comes from the event log itself", one.event.event_id)
                return "DROP"
        _published(accepted, await services.write_events([one.record for one in accepted]))
    except Exception as exc:  # noqa: BLE001 - Dapr knows three answers
        answer = answer_to(exc)
        if answer.status_code >= 500:
            return "RETRY"
        logger.warning("dapr.dropped: %s", _words(answer))
        return "DROP"
    return "SUCCESS"


def _words(answer: Response) -> str:
    return bytes(answer.body).decode() if answer.media_type == MEDIA_TYPE else str(answer.status_code)
