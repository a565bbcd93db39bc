"""The sessions of SQLAlchemy that a record can be added to."""

from __future__ import annotations

from typing import Any, Protocol


class AnySession(Protocol):
    """SQLAlchemy's `Session`, `AsyncSession`, or one of its scoped sessions."""

    @property
    def info(self) -> dict[Any, Any]:
        """A dictionary of the session's own."""

    def add(self, instance: object, /) -> None:
        """Have an object written at the next flush."""
