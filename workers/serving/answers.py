"""What `/livez`, `/readyz` and `/metrics` answer for all processes of a worker."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from ..errors import WorkersError
from ..measures.families import Family, merged
from .dramatiq_names import with_dramatiq_names
from .parts import Part

#: A process that has written its part this long ago hangs.
STALE_AFTER_S = 30.0


class NotInstalled(WorkersError):
    """/metrics needs prometheus-client: pip install 'todo-workers[metrics]'."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class Answer(NamedTuple):
    """An answer over HTTP."""

    status: int
    content_type: str
    body: bytes


class Readable(Protocol):
    """What `Parts` reads."""

    def read(self) -> tuple[list[Part], list[Family]]:
        """See :meth:`Parts.read`."""


class Answers:
    """Answers for the processes whose parts it reads. For one thread."""

    def __init__(
        self,
        parts: Readable,
        *,
        gauges: Callable[[], Sequence[Family]] = tuple,
        dramatiq_names: bool = False,
    ) -> None:
        """``gauges`` returns what concerns all workers; it must not block."""
        self._parts = parts
        self._gauges = gauges
        self._dramatiq_names = dramatiq_names

    def answer(self, path: str, accept: str = "") -> Answer:
        """The answer to a GET of ``path``; 404 for any other path."""
        if path == "/metrics":
            return self._metrics(accept)
        if path == "/livez":
            return self._processes_are(lambda part: part.age_s < STALE_AFTER_S, "hangs")
        if path == "/readyz":
            return self._processes_are(lambda part: part.ready, "is not ready")
        return Answer(404, "text/plain", b"not found; there are /livez, /readyz and /metrics\n")

    def _metrics(self, accept: str) -> Answer:
        try:
            from .exposition import exposition  # noqa: PLC0415 - from the extra `metrics`
        except ModuleNotFoundError as exc:
            if not (exc.name or "").startswith("prometheus_client"):
                raise
            return Answer(501, "text/plain", f"{NotInstalled()}\n".encode())
        living, ended = self._parts.read()
        families = merged([*(part.families for part in living), ended, self._gauges()])
        if self._dramatiq_names:
            families = with_dramatiq_names(families)
        body, content_type = exposition(families, accept)
        return Answer(200, content_type, body)

    def _processes_are(self, is_so: Callable[[Part], bool], lack: str) -> Answer:
        living, _ = self._parts.read()
        lacking = {str(part.pid): lack for part in living if not is_so(part)}
        is_ok = bool(living) and not lacking
        body = {"status": "ok" if is_ok else "not ok", "processes": len(living), **lacking}
        return Answer(200 if is_ok else 503, "application/json", json.dumps(body).encode() + b"\n")
