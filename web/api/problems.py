"""Answers every error of a route as a problem of RFC 9457: what happened, to what, and what to do next."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import Message

from tasks.events.models import InvalidEvent
from tasks.reminders.by_hand import NoSuchReminder, NotPossible
from tasks.storage.engine import DatabaseError
from workers.errors import (
    InvalidArguments,
    KafkaUnreachable,
    MessageTooLarge,
    Undecodable,
    WorkersError,
    WrongUsage,
    plain_text,
)

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
#: The largest body that a route reads fields from.
MAX_FIELDS_BYTES = 64 * 1024
#: When a client may ask again, if Kafka or the database is away.
_RETRY_AFTER_S = 5

#: The status of each kind of error; the first that fits counts.
_STATUS: tuple[tuple[type[WorkersError], int], ...] = (
    (KafkaUnreachable, 503),
    (DatabaseError, 503),
    (MessageTooLarge, 413),
    (NoSuchReminder, 404),
    (NotPossible, 409),
    (Undecodable, 400),
    (InvalidEvent, 422),
    (InvalidArguments, 422),
    (WrongUsage, 422),
)
#: What is said of an error whose text is for operators: it names servers.
_AWAY: tuple[tuple[type[WorkersError], str], ...] = (
    (KafkaUnreachable, "Kafka cannot be reached now; send it again, with the same id"),
    (DatabaseError, "the database cannot be reached now; ask again"),
)


class Problem(BaseModel):
    """An error, by RFC 9457. Other members may follow; each route describes them."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class ProblemError(Exception):
    """Raised by a route to answer with a problem that has members of its own."""

    def __init__(
        self, status: int, detail: str, *, headers: Mapping[str, str] | None = None, **members: object
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers
        self.members = members


class ProblemRoute(APIRoute):
    """A route whose errors are problems, in whatever application it is included.

    The body that its fields are read from is bounded: FastAPI reads it before it is known who asks.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Make the handler, around that of FastAPI."""
        handle = super().get_route_handler()
        has_fields = self.body_field is not None

        async def handle_with_problems(request: Request) -> Response:
            try:
                return await handle(_limited(request) if has_fields else request)
            except Exception as exc:  # noqa: BLE001 - whatever was raised
                return answer_to(exc)

        return handle_with_problems


def _limited(request: Request) -> Request:
    """The request with a body that raises HTTPException 413 once it is too large.

    FastAPI's own limit, `max_body_size`, answers with a text that is no problem.
    """
    size = 0

    async def receive() -> Message:
        nonlocal size
        message = await request.receive()
        size += len(message.get("body", b""))
        if size > MAX_FIELDS_BYTES:
            raise HTTPException(413, f"the body has more than {MAX_FIELDS_BYTES} bytes")
        return message

    return Request(request.scope, receive)


def add_problems(app: FastAPI) -> None:
    """Have an application answer with problems also where no route is: 404 and 405."""

    async def answer(_request: Request, error: Exception) -> Response:
        return answer_to(error)

    app.add_exception_handler(StarletteHTTPException, answer)
    app.add_exception_handler(RequestValidationError, answer)


def answer_to(error: Exception) -> Response:
    """The answer to an error. One that nobody expects is logged, and is a 500 that tells nothing of it."""
    if isinstance(error, ProblemError):
        return problem(error.status, error.detail, headers=error.headers, **error.members)
    if isinstance(error, StarletteHTTPException):
        return problem(error.status_code, str(error.detail), headers=error.headers)
    if isinstance(error, RequestValidationError):
        return problem(422, "the request is not as the route describes it", errors=_fields(error))
    return Response(status_code=400) if isinstance(error, ClientDisconnect) else _of_the_chatbot(error)


def _of_the_chatbot(error: Exception) -> Response:
    status = status_of(error)
    if status == 503:
        logger.warning("route.unavailable: %s", error)
        detail = next(said for kind, said in _AWAY if isinstance(error, kind))
        return problem(503, detail, headers={"Retry-After": str(_RETRY_AFTER_S)})
    if status == 500:
        logger.error("route.failed", exc_info=error)
    return problem(status, str(error) if status != 500 else "the server failed; its log says why")


def status_of(error: Exception) -> int:
    """The HTTP status that says what an error of the chatbot is."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def problem(
    status: int, detail: str, *, headers: Mapping[str, str] | None = None, **members: object
) -> JSONResponse:
    """Make the answer."""
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **members}
    return JSONResponse(body, status, dict(headers or {}), media_type=MEDIA_TYPE)


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems of a route, for its ``responses`` in OpenAPI, each with an example."""
    return {status: _described(status) for status in statuses}


_SCHEMA = Problem.model_json_schema()
_EXAMPLES = {
    400: "the body is not JSON: Expecting value: line 1 column 1 (char 0)",
    401: "send a token in the header Authorization: Bearer",
    403: "this needs the role publisher",
    404: "there is no such thing, or it is not yours",
    409: "the reminder has no alarm left to cancel",
    413: "the body has more than 8388608 bytes",
    415: "the content type is text/plain; send application/cloudevents+json",
    422: "Not a valid todo event: todo.title: must not be blank",
    503: "Kafka cannot be reached now; send it again, with the same id",
}


def _described(status: int) -> dict[str, Any]:
    title = HTTPStatus(status).phrase
    example = {"type": "about:blank", "title": title, "status": status, "detail": _EXAMPLES[status]}
    described: dict[str, Any] = {
        "description": title,
        "content": {MEDIA_TYPE: {"schema": _SCHEMA, "example": example}},
    }
    if status == 503:
        seconds = {"description": "Seconds until it may be tried again.", "schema": {"type": "integer"}}
        described["headers"] = {"Retry-After": seconds}
    return described


def _fields(error: RequestValidationError) -> list[dict[str, str]]:
    """Which fields are wrong, without what was in them."""
    return [
        {
            "at": plain_text(".".join(map(str, one["loc"]))),
            "detail": plain_text(str(one["msg"]).removeprefix("Value error, ")),
        }
        for one in error.errors()
    ]
