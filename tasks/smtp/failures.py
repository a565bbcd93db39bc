"""Attempts to connect that failed while others were under way, one of which may succeed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

#: How long an attempt that failed waits for what becomes of those beside it.
_BESIDE_S = 1.0


@dataclass(eq=False)
class Failure:
    """An attempt that failed. It is told once all attempts beside it have ended, or at ``told_at``."""

    error: Exception
    began: float
    beside: set[object]
    told_at: float


class Failures:
    """Those that are not told yet. Times are by one clock, in seconds."""

    def __init__(self) -> None:
        self._failures: list[Failure] = []

    def __len__(self) -> int:
        return len(self._failures)

    def __iter__(self) -> Iterator[Failure]:
        return iter(self._failures)

    def add(self, error: Exception, began: float, beside: Iterable[object], now: float) -> Failure:
        """Note an attempt that failed now, ``beside`` others."""
        failure = Failure(error, began, set(beside), now + _BESIDE_S)
        self._failures.append(failure)
        return failure

    def ended(self, attempt: object) -> None:
        """Note that an attempt has ended, however."""
        for failure in self._failures:
            failure.beside.discard(attempt)

    def told(self, now: float) -> list[Failure]:
        """Return those that wait for no other any more, and forget them."""
        told = [one for one in self._failures if not one.beside or one.told_at <= now]
        self._failures = [one for one in self._failures if one not in told]
        return told

    def clear(self) -> Failure | None:
        """Forget all of them, as others carry their mails; returns the last one, if there was any."""
        last = self._failures[-1] if self._failures else None
        self._failures.clear()
        return last
