"""The work of `todo-workers audit`. Each public function prints, and returns the exit status."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from io import TextIOWrapper
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from rich.table import Table
from rich.text import Text

from workers.cli.terminal import console, visible, visible_json
from workers.display.progress import counting
from workers.kafka import Cluster
from workers.kafka.topic_reader import TopicReader

from ..audit.archive.folder import ArchiveFolder
from ..audit.archive.known_events import ArchivedEvents
from ..audit.archive.listing import Source
from ..audit.archive.registry import archived
from ..audit.chain import Head
from ..audit.reading import AuditFilter, history, newest
from ..audit.rebuild import rebuild
from ..audit.story import story, summary, when
from ..audit.trail import AuditStore, Recording, audit_trail
from ..audit.verify import Verdict, verify
from ..events.cloud_events import MAX_AHEAD
from ..storage.database import Database
from ..text import one_line

_COLUMNS = [column.name for column in audit_trail.columns]
#: Spreadsheets take a text that begins with one of these for a formula; the second half are full-width signs.
_FORMULA_SIGNS = (*"=+-@", *"\uff1d\uff0b\uff0d\uff20")
#: They drop these at the beginning, whatever follows.
_DROPPED = ("\t", "\r", "\n")
_BYTE_ORDER_MARK = "\ufeff"


def show_table(
    database: Database, wanted: AuditFilter, *, limit: int | None, zone: ZoneInfo, source: Source = newest
) -> int:
    """Print the rows of the source that match, as a table."""
    found = source(database, wanted, None if limit is None else limit + 1)
    rows = list(islice(found, limit))
    if not rows:
        print("no audit rows" if wanted == AuditFilter() else "no audit rows match")
        return 0
    table = Table("#", "time", "who", "what", "todo", "about", box=None)
    for row in rows:
        about = [row["actor"] or "", row["type"], row["todo_id"] or "", summary(row)]
        cells = [str(row["sequence"]), when(row["time"], zone), *(one_line(text, 60) for text in about)]
        # As text: markup that users wrote must not work.
        table.add_row(*(Text(cell) for cell in cells))
    console().print(table)
    if next(found, None) is not None:
        print(f"the {'newest' if source is newest else 'first'} {len(rows)}; --limit or --all shows more")
    return 0


def show_json(database: Database, wanted: AuditFilter, *, limit: int | None, source: Source = newest) -> int:
    """Print the rows of the source that match, one JSON object a line."""
    for row in source(database, wanted, limit):
        print(visible_json(json.dumps(_plain(row), ensure_ascii=False)))
    return 0


def show_csv(
    database: Database,
    wanted: AuditFilter,
    *,
    limit: int | None,
    for_excel: bool = False,
    source: Source = newest,
) -> int:
    """Print the rows of the source that match, as CSV with a header; JSON values are JSON in their cells.

    With ``for_excel`` a byte order mark goes first: without it Excel reads UTF-8 as an old code page.
    """
    if for_excel:
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")
        sys.stdout.write(_BYTE_ORDER_MARK)
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(_COLUMNS)
    for row in source(database, wanted, limit):
        out.writerow(map(_cell, _plain(row).values()))
    return 0


def _cell(value: object) -> object:
    """The value of a cell; a text that a spreadsheet would take for a formula gets a quote in front.

    Source: OWASP, CSV Injection.
    """
    if isinstance(value, dict | list):
        return visible_json(json.dumps(value, ensure_ascii=False))
    if isinstance(value, str) and (value[:1] in _DROPPED or value.lstrip().startswith(_FORMULA_SIGNS)):
        return f"'{value}"
    return value


def tell_history(database: Database, todo_id: str, *, zone: ZoneInfo) -> int:
    """Print what happened to a todo, in words, the oldest first."""
    count = 0
    for count, row in enumerate(history(database, todo_id), 1):  # noqa: B007
        for line in story(row, zone):
            print(line)
    if not count:
        print(f"the audit trail has no todo {todo_id}", file=sys.stderr)
        return 1
    return 0


def check(
    database: Database, expected: Head | None, *, as_json: bool, folder: ArchiveFolder | None = None
) -> int:
    """Walk the chain and print the verdict; returns 1 if the chain is broken."""
    with counting("verifying") as advance:
        verdict = verify(database, expected, advance, folder=folder)
    if as_json:
        print(json.dumps(_verdict(verdict)))
        return int(not verdict.is_whole)
    for text in verdict.told:
        print(visible(text))
    if verdict.flaws > len(verdict.told):
        print(f"and {verdict.flaws - len(verdict.told)} more")
    if verdict.is_whole and not verdict.rows:
        print(f"{database.name}: no audit rows, nothing to verify; check DATABASE_URL if there should be")
        return 0
    state = "whole" if verdict.is_whole else f"BROKEN, in {verdict.flaws} places"
    of_these = f" ({verdict.archived} of them archived)" if verdict.archived else ""
    print(f"{database.name}: {verdict.rows} audit rows{of_these}, {state}")
    print(f"head {verdict.head}")
    return int(not verdict.is_whole)


def add_missing(
    database: Database,
    cluster: Cluster,
    topic: str,
    *,
    max_ahead: timedelta = MAX_AHEAD,
    folder: ArchiveFolder | None = None,
) -> int:
    """Add the rows that the trail lacks of the event log; returns 1 if a record has no row."""
    with TopicReader(cluster, topic) as reader:
        if not reader.sizes():
            print(f"there is no topic {topic}", file=sys.stderr)
            return 1
        with counting("rebuilding") as advance, closing(ArchivedEvents(archived(database), folder)) as known:
            rebuilt = rebuild(
                AuditStore(database),
                reader.read_to_end(),
                now=lambda: datetime.now(UTC),
                max_ahead=max_ahead,
                tell=_say,
                is_archived=known.has,
                progress=advance,
            )
    counts = rebuilt.outcomes
    are_archived = f"{rebuilt.archived} are archived, " if rebuilt.archived else ""
    print(
        f"{rebuilt.records} records in {topic}: {counts[Recording.RECORDED]} added, "
        f"{counts[Recording.REPEATED]} were there, {are_archived}{rebuilt.problems} without a row"
    )
    return int(rebuilt.problems > 0)


def _say(text: str) -> None:
    print(visible(text), file=sys.stderr)


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    plain = {name: row[name] for name in _COLUMNS}
    return plain | {name: plain[name].isoformat() for name in ("time", "recorded_at")}


def _verdict(verdict: Verdict) -> dict[str, object]:
    head = {"sequence": verdict.head.sequence, "hash": verdict.head.hash}
    return {
        "rows": verdict.rows,
        "archived": verdict.archived,
        "whole": verdict.is_whole,
        "flaws": verdict.flaws,
        "told": verdict.told,
        "head": head,
    }
