"""Dead letters: groups by error, the list, and the export of what a filter matches."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from workers.dead_letters.archive import to_line
from workers.dead_letters.filter import Filter
from workers.dead_letters.letter import Reason

from ..desk import FIRST_S, Desk, Viewer
from ..filters import asked, filter_of
from ..sessions.rights import Permission

_SHOWN, _GROUPS = 100, 12
_MAX_CURSOR = 2**63 - 1


def routes(desk: Desk) -> Sequence[BaseRoute]:
    @desk.open_to(Permission.VIEW)
    def letters(request: Request) -> Response:
        desk.letters.wait_for_first(FIRST_S)
        fields = asked(request.query_params)
        wanted = filter_of(fields, int(time.time() * 1000))
        shown, built = desk.letters.shown, desk.letters.built
        rows = shown.newest(wanted, _SHOWN, _cursor(request.query_params.get("after", "")))
        viewer: Viewer = request.state.viewer
        last = rows[-1] if len(rows) == _SHOWN else None
        return desk.render(
            request,
            "dead_letters.html",
            fields=fields,
            built=built,
            is_read=desk.letters.is_ready,
            rows=rows,
            total=shown.count(wanted),
            needs_reading=wanted.text is not None,
            may_search=not desk.hidden_from(viewer),
            groups=shown.groups(wanted, _GROUPS) if "kind" not in fields else [],
            reasons=list(Reason),
            queues=sorted({*desk.broker.queues, *desk.letters.counts} - {""}),
            after=f"{last.time_ms}.{last.number}" if last else None,
        )

    @desk.open_to(Permission.SEE_MASKED)
    def export(request: Request) -> Response:
        wanted = filter_of(asked(request.query_params), int(time.time() * 1000))
        return StreamingResponse(
            _lines(desk, wanted),
            media_type="application/jsonl",
            headers={"content-disposition": 'attachment; filename="dead-letters.jsonl"'},
        )

    return [Route("/dead-letters", letters), Route("/dead-letters/export", export)]


def _lines(desk: Desk, wanted: Filter) -> Iterator[str]:
    """The file that `todo-workers dead-letters import` takes."""
    for entry in desk.letters.search_quietly().matching(wanted):
        desk.want()
        yield to_line(entry) + "\n"


def _cursor(text: str) -> tuple[int, int] | None:
    """The place in the list behind which to go on; None for anything that we did not write."""
    time_ms, _, number = text.partition(".")
    if not all(part.isascii() and part.isdecimal() and len(part) < 20 for part in (time_ms, number)):
        return None
    return min(int(time_ms), _MAX_CURSOR), min(int(number), _MAX_CURSOR)
