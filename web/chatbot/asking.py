"""What the pages share: the fields of a query, and what is said when the database is away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tasks.storage.engine import DatabaseError
from workers.errors import WrongUsage

from ..dashboard import Desk
from ..dashboard.filters import Fields

_MAX_CHARS = 300

Show = Callable[[Request], Response]


def asking_database(desk: Desk) -> Callable[[Show], Show]:
    """Decorate a page that reads the database: it says which is away, the database and not Kafka."""

    def decorate(endpoint: Show) -> Show:
        @wraps(endpoint)
        def guarded(request: Request) -> Response:
            try:
                return endpoint(request)
            except DatabaseError as exc:
                return desk.say(request, "The database does not answer", str(exc), 503)

        return guarded

    return decorate


def asked_of(request: Request, *names: str) -> Fields:
    """The fields of the query that are set. Raises WrongUsage for one that is too long or has a NUL."""
    values: Mapping[str, Any] = request.query_params
    found = Fields({name: text for name in names if (text := str(values.get(name, "")).strip())})
    for name, value in found.items():
        if len(value) > _MAX_CHARS:
            raise WrongUsage(f"{name} has {len(value):,} characters; at most {_MAX_CHARS} are looked for")
        if not value.isprintable():
            raise WrongUsage(f"{name} has a character that cannot be shown")
    return found


def one_of(kinds: Any, text: str | None) -> Any:
    """The member of an enumeration with this text; None for none. Raises WrongUsage, which names all."""
    if text is None:
        return None
    try:
        return kinds(text)
    except ValueError as exc:
        known: Iterable[str] = kinds
        raise WrongUsage(f"{text[:40]!r} is no state; there are: {', '.join(known)}") from exc
