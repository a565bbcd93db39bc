"""Look at the audit trail, verify, complete or archive it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from workers.cli.options import command_group
from workers.cli.times import parse_time
from workers.errors import WrongUsage

from ..app import broker, database, event_log, settings
from ..archive import archive_folder, archived_until, folder_to_write
from ..audit.archive.listing import month_of_archive
from ..audit.chain import Head
from ..audit.reading import AuditFilter, newest
from ..schedules.zones import zone_named
from . import archive_output as archive_commands
from . import audit_output as commands
from .archive_output import say_what_all_may_read, say_what_is_archived

app = command_group("Look at the audit trail, verify, complete or archive it.")

_Zone = Annotated[
    str, typer.Option("--time-zone", metavar="ZONE", help="Show times as they are there: Europe/Berlin.")
]


@app.command("list")
def list_(
    *,
    todo: Annotated[str | None, typer.Option(help="Only of this todo.")] = None,
    who: Annotated[str | None, typer.Option(help="Only what this actor did, such as user:42.")] = None,
    type: Annotated[str | None, typer.Option(help="Only of this type, such as todo.deleted.")] = None,  # noqa: A002
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only what happened since then: 2h, 3d, or ISO.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Only what happened until then.")] = None,
    month: Annotated[
        str | None, typer.Option(metavar="2026-01", help="Of this archived month, the oldest first.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many to show, the newest first.")] = 50,
    all_: Annotated[bool, typer.Option("--all", help="Show all, however many.")] = False,
    json: Annotated[bool, typer.Option("--json", help="JSON, one object per line.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="CSV with a header.")] = False,
    excel: Annotated[bool, typer.Option("--excel", help="CSV with a byte order mark, for Excel.")] = False,
    zone: _Zone = "UTC",
) -> None:
    """Show audit rows, the newest first."""
    wanted = AuditFilter(todo, who, type, _time(since), _time(until))
    at_most = None if all_ else limit
    if json and (csv or excel):
        raise WrongUsage(f"--json or --{'csv' if csv else 'excel'}, not both")
    source = newest if month is None else month_of_archive(archive_folder(), month)
    if json:
        status = commands.show_json(database(), wanted, limit=at_most, source=source)
    elif csv or excel:
        status = commands.show_csv(database(), wanted, limit=at_most, for_excel=excel, source=source)
    else:
        status = commands.show_table(database(), wanted, limit=at_most, zone=_zone(zone), source=source)
    if month is None:
        say_what_is_archived(database(), "--month shows one")
    raise typer.Exit(status)


@app.command()
def history(
    todo: Annotated[str, typer.Argument(help="Id of the todo.")],
    zone: _Zone = "UTC",
) -> None:
    """Tell what happened to a todo, the oldest first."""
    status = commands.tell_history(database(), todo, zone=_zone(zone))
    say_what_is_archived(database(), "audit list --month ... --todo ... shows what was before")
    raise typer.Exit(status)


@app.command()
def verify(
    expect: Annotated[
        str | None,
        typer.Option(metavar="SEQ:HASH", help="A head that was printed earlier, and must be there still."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Walk the chain of hashes, and exit 1 where it is broken. Keep the head it prints somewhere else."""
    expected = _head(expect)
    folder = archive_folder()
    status = commands.check(database(), expected, as_json=json, folder=folder)
    if folder is not None:
        say_what_all_may_read(folder)
    raise typer.Exit(status)


@app.command()
def archive(
    older_than: Annotated[
        int,
        typer.Option(min=1, max=1200, metavar="MONTHS", help="Months that stay in the database, at least."),
    ] = 12,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which months would be moved.")] = False,
) -> None:
    """Move whole months into signed files in AUDIT_ARCHIVE_DIR.

    `verify` goes on checking them there.

    Call it again if it was interrupted: no row is lost or there twice.
    """
    now = datetime.now(UTC)
    until = archived_until(now, older_than)
    if dry_run:
        raise typer.Exit(archive_commands.show_plan(database(), until=until, now=now))
    raise typer.Exit(archive_commands.move(database(), folder_to_write(), until=until, now=now))


@app.command()
def rebuild() -> None:
    """Record every event of the event log that has no row yet.

    A row may be here or in the archive.
    """
    max_ahead, folder = settings.event.max_ahead, archive_folder()
    status = commands.add_missing(database(), broker.cluster, event_log, max_ahead=max_ahead, folder=folder)
    say_what_is_archived(database(), "their events are not added again")
    raise typer.Exit(status)


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    return datetime.fromtimestamp(parse_time(text, int(time.time() * 1000)) / 1000, UTC)


def _zone(name: str) -> ZoneInfo:
    try:
        return zone_named(name)
    except ValueError as exc:
        raise WrongUsage(f"--time-zone {name!r} is not an IANA time zone such as Europe/Berlin") from exc


def _head(text: str | None) -> Head | None:
    try:
        return Head.parse(text) if text is not None else None
    except ValueError as exc:
        raise WrongUsage(f"--expect {exc}") from exc
