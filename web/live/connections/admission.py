"""Decides who may connect: the origin of a page, and how many connections there are. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple


class Refusal(NamedTuple):
    """The answer to one who may not connect: an HTTP status, a reason, and when to try again."""

    status: int
    why: str
    retry_after_s: int | None = None


class Admission:
    """Counts the connections of a process, and of each address."""

    def __init__(self, *, origins: Iterable[str], connections: int, per_address: int) -> None:
        self._origins = frozenset(origins)
        self._connections = connections
        self._per_address = per_address
        self._open: Counter[str] = Counter()
        self.total = 0

    def refusal(self, scope: Mapping[str, Any]) -> Refusal | None:
        """Return why the client of an ASGI scope may not connect; None if it may."""
        headers = dict(scope["headers"])
        origin = headers.get(b"origin")
        if origin is not None and not self._may_connect(origin, headers.get(b"host", b"")):
            return Refusal(403, "pages of this origin may not connect; see WEB_ORIGINS")
        if self.total >= self._connections:
            return Refusal(503, "there are too many connections", 10)
        if self._open[address_of(scope)] >= self._per_address:
            return Refusal(429, "there are too many connections from this address", 10)
        return None

    @contextmanager
    def counted(self, scope: Mapping[str, Any]) -> Iterator[None]:
        """Count the connection while the block runs."""
        address = address_of(scope)
        self._open[address] += 1
        self.total += 1
        try:
            yield
        finally:
            self.total -= 1
            self._open[address] -= 1
            if not self._open[address]:
                del self._open[address]

    def _may_connect(self, origin: bytes, host: bytes) -> bool:
        text = origin.decode("latin-1").lower()
        return text in self._origins or text.partition("://")[2] == host.decode("latin-1").lower()


def address_of(scope: Mapping[str, Any]) -> str:
    """The address of a client; one name for all if the server does not know it."""
    client = scope.get("client")
    return str(client[0]) if client else "unknown"
