"""The outbox's errors, and SQLAlchemy's as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ..errors import WorkersError


class OutboxUnavailable(WorkersError):
    """The outbox's database could not do what was asked."""


@contextmanager
def database_errors(name: str, *drivers: type[Exception]) -> Iterator[None]:
    """Turn what SQLAlchemy raises inside the block into an error of ours that names the database.

    ``drivers``: errors of a driver that is used beside SQLAlchemy, likewise.
    """
    caught: tuple[type[Exception], ...] = (SQLAlchemyError, *drivers)
    try:
        yield
    except caught as exc:
        cause = exc.orig if isinstance(exc, DBAPIError) else exc
        reason = " ".join(str(cause).split())
        raise OutboxUnavailable(f"The outbox in {name} cannot be used: {reason}") from exc
