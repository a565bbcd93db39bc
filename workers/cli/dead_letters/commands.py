"""The commands `todo-workers dead-letters ...`. Commands only: what they do is in the modules they call."""

from __future__ import annotations

import signal
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ...application import load_broker
from ...dead_letters.edits import parse_edit
from ...dead_letters.filter import Filter, parse_time
from ...dead_letters.letter import Reason
from ...errors import WrongUsage
from ..options import command_group
from . import files
from . import listing as commands
from . import replay_and_discard as actions


class GroupBy(StrEnum):
    ACTOR = "actor"
    REASON = "reason"
    EXCEPTION = "exception"


app = command_group("Look at the jobs that were given up; replay or drop them.")

_App = Annotated[
    str | None,
    typer.Option(
        metavar="MODULE[:BROKER]", help="Module with the actors, as for dramatiq; else the installed one."
    ),
]
_Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids, or how they begin.")]
_Queue = Annotated[str | None, typer.Option(help="Only of this queue.")]
_Actor = Annotated[str | None, typer.Option(help="Only of this actor.")]
_Reason = Annotated[Reason | None, typer.Option(help="Only given up for this reason.")]
_Exception = Annotated[str | None, typer.Option(help="Only with this exception, such as ValueError.")]
_Text = Annotated[str | None, typer.Option(help="Only with this text in arguments, error or traceback.")]
_Since = Annotated[str | None, typer.Option(metavar="TIME", help="Only given up since then: 2h, 3d, or ISO.")]
_Until = Annotated[str | None, typer.Option(metavar="TIME", help="Only given up until then.")]
_Json = Annotated[bool, typer.Option("--json", help="JSON, one object per line.")]
_All = Annotated[bool, typer.Option("--all", help="Mean all dead letters, where nothing else says which.")]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say how many and which.")]
_Yes = Annotated[bool, typer.Option("--yes", help="Ask no question.")]
_Limit = Annotated[int | None, typer.Option(min=1, help="At most so many, the oldest first.")]
_Rate = Annotated[str | None, typer.Option(metavar="N/s", help="At most so many in a second: 50/s.")]


def _filter(
    ids: list[str] | None,
    *,
    queue: str | None,
    actor: str | None,
    reason: Reason | None,
    exception: str | None,
    text: str | None,
    since: str | None,
    until: str | None,
) -> Filter:
    """The filter that the options describe. Raises WrongUsage."""
    now_ms = int(time.time() * 1000)
    times = [parse_time(value, now_ms) if value else None for value in (since, until)]
    return Filter(tuple(ids or ()), queue, actor, reason, exception, text, *times)


@app.callback()
def _root() -> None:
    # A replay that is told to stop says how far it came, and an export leaves no half file.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@app.command("list")
def list_(
    *,
    app: _App = None,
    queue: _Queue = None,
    actor: _Actor = None,
    reason: _Reason = None,
    exception: _Exception = None,
    text: _Text = None,
    id: Annotated[list[str] | None, typer.Option(help="Only ids that begin so.")] = None,  # noqa: A002
    since: _Since = None,
    until: _Until = None,
    group_by: Annotated[GroupBy | None, typer.Option(help="Count them instead.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="How many to show; else 50, or with --json all.")
    ] = None,
    json: _Json = False,
) -> None:
    """Show dead letters, the newest first, or count them."""
    wanted = _filter(
        id,
        queue=queue,
        actor=actor,
        reason=reason,
        exception=exception,
        text=text,
        since=since,
        until=until,
    )
    broker = load_broker(app)
    if group_by is not None:
        raise typer.Exit(commands.show_groups(broker, wanted, by=group_by, as_json=json))
    raise typer.Exit(commands.show_list(broker, wanted, limit=limit, as_json=json))


@app.command()
def show(
    id: Annotated[str, typer.Argument(help="Id, or how it begins.")],  # noqa: A002
    app: _App = None,
    json: _Json = False,
) -> None:
    """Show one dead letter with all that is known about it."""
    raise typer.Exit(commands.show(load_broker(app), id, as_json=json))


@app.command()
def replay(
    ids: _Ids = None,
    *,
    app: _App = None,
    queue: _Queue = None,
    actor: _Actor = None,
    reason: _Reason = None,
    exception: _Exception = None,
    text: _Text = None,
    since: _Since = None,
    until: _Until = None,
    all_: _All = False,
    dry_run: _DryRun = False,
    yes: _Yes = False,
    limit: _Limit = None,
    rate: _Rate = None,
    to: Annotated[str | None, typer.Option(metavar="QUEUE", help="Into this queue instead.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PLACE=VALUE", help="Mend an argument: args.0.email=ann@example.com."),
    ] = None,
) -> None:
    """Enqueue jobs again: same id, attempts from the start. A job may run twice, none is lost."""
    wanted = _meant(
        _filter(
            ids,
            queue=queue,
            actor=actor,
            reason=reason,
            exception=exception,
            text=text,
            since=since,
            until=until,
        ),
        all_=all_,
    )
    edits = [parse_edit(text) for text in set_ or ()]
    options = actions.Options(dry_run, yes, limit, _per_second(rate))
    raise typer.Exit(actions.replay_all(load_broker(app), wanted, options, to=to, edits=edits))


@app.command()
def discard(
    ids: _Ids = None,
    *,
    app: _App = None,
    queue: _Queue = None,
    actor: _Actor = None,
    reason: _Reason = None,
    exception: _Exception = None,
    text: _Text = None,
    since: _Since = None,
    until: _Until = None,
    all_: _All = False,
    dry_run: _DryRun = False,
    yes: _Yes = False,
    limit: _Limit = None,
    rate: _Rate = None,
) -> None:
    """Drop dead letters for good; export them before."""
    wanted = _meant(
        _filter(
            ids,
            queue=queue,
            actor=actor,
            reason=reason,
            exception=exception,
            text=text,
            since=since,
            until=until,
        ),
        all_=all_,
    )
    options = actions.Options(dry_run, yes, limit, _per_second(rate))
    raise typer.Exit(actions.discard_all(load_broker(app), wanted, options))


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="File that does not exist yet.")],
    *,
    app: _App = None,
    queue: _Queue = None,
    actor: _Actor = None,
    reason: _Reason = None,
    exception: _Exception = None,
    text: _Text = None,
    since: _Since = None,
    until: _Until = None,
) -> None:
    """Write dead letters into a file, with all their bytes."""
    wanted = _filter(
        None,
        queue=queue,
        actor=actor,
        reason=reason,
        exception=exception,
        text=text,
        since=since,
        until=until,
    )
    raise typer.Exit(files.export(load_broker(app), wanted, file))


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="What `export` wrote.", exists=True, dir_okay=False)],
    app: _App = None,
) -> None:
    """Write the dead letters of a file back into the topic."""
    raise typer.Exit(files.import_file(load_broker(app), file))


def _meant(wanted: Filter, *, all_: bool) -> Filter:
    if wanted.is_empty and not all_:
        raise WrongUsage("Which dead letters? Name ids or filters, or --all")
    return wanted


def _per_second(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        rate = float(text.removesuffix("/s"))
    except ValueError:
        rate = 0.0
    if not rate > 0:
        raise WrongUsage(f"--rate {text!r} should be a number of jobs per second, such as 50/s")
    return rate
