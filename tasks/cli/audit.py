"""Look at the audit trail, verify it, or add what it lacks."""

from __future__ import annotations

import time
import zoneinfo
from datetime import UTC, datetime
from typing import Annotated

import typer

from workers.cli.options import command_group
from workers.cli.times import parse_time
from workers.errors import WrongUsage

from ..app import broker, database, event_log, settings
from ..audit.chain import Head
from ..audit.reading import AuditFilter
from . import audit_output as commands

app = command_group("Look at the audit trail, verify it, or add what it lacks.")

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
    if json:
        raise typer.Exit(commands.show_json(database(), wanted, limit=at_most))
    if csv or excel:
        raise typer.Exit(commands.show_csv(database(), wanted, limit=at_most, for_excel=excel))
    raise typer.Exit(commands.show_table(database(), wanted, limit=at_most, zone=_zone(zone)))


@app.command()
def history(
    todo: Annotated[str, typer.Argument(help="Id of the todo.")],
    zone: _Zone = "UTC",
) -> None:
    """Tell what happened to a todo, the oldest first."""
    raise typer.Exit(commands.tell_history(database(), todo, zone=_zone(zone)))


@app.command()
def verify(
    expect: Annotated[
        str | None,
        typer.Option(metavar="SEQ:HASH", help="A head that was printed earlier, and must be there still."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Walk the chain of hashes, and exit 1 where it is broken. Keep the head it prints somewhere else."""
    raise typer.Exit(commands.check(database(), _head(expect), as_json=json))


@app.command()
def rebuild() -> None:
    """Record every event of the event log that has no row yet."""
    max_ahead = settings.event.max_ahead
    raise typer.Exit(commands.add_missing(database(), broker.cluster, event_log, max_ahead=max_ahead))


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    return datetime.fromtimestamp(parse_time(text, int(time.time() * 1000)) / 1000, UTC)


def _zone(name: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError) as exc:
        raise WrongUsage(f"--time-zone {name!r} is not an IANA time zone such as Europe/Berlin") from exc


def _head(text: str | None) -> Head | None:
    try:
        return Head.parse(text) if text is not None else None
    except ValueError as exc:
        raise WrongUsage(f"--expect {exc}") from exc
