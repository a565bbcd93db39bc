"""Declares the commands `todo-workers dead-letters ...`; the code that does the work is imported later."""

from __future__ import annotations

import signal
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ...dead_letters.filter import Filter
from ..options import App, JsonLines, command_group
from .shared_options import Options, filter_of, how, meant, takes


class GroupBy(StrEnum):
    ACTOR = "actor"
    REASON = "reason"
    EXCEPTION = "exception"


app = command_group("Look at the jobs that were given up; replay or drop them.")


@app.callback()
def _root() -> None:
    # A replay that has to stop says how far it came, and an export leaves no half file.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@app.command("list")
@takes(wanted=filter_of)
def list_(
    *,
    app: App = None,
    wanted: Filter,
    id: Annotated[list[str] | None, typer.Option(help="Only ids that begin so.")] = None,  # noqa: A002
    group_by: Annotated[GroupBy | None, typer.Option(help="Count them instead.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="How many to show; else 50, or with --json all.")
    ] = None,
    json: JsonLines = False,
) -> None:
    """Show dead letters, the newest first, or count them."""
    from ...application import load_broker
    from . import listing

    wanted = replace(wanted, ids=tuple(id or ()))
    broker = load_broker(app)
    if group_by is not None:
        raise typer.Exit(listing.show_groups(broker, wanted, by=group_by, as_json=json))
    raise typer.Exit(listing.show_list(broker, wanted, limit=limit, as_json=json))


@app.command()
def show(
    id: Annotated[str, typer.Argument(help="Id, or how it begins.")],  # noqa: A002
    app: App = None,
    json: JsonLines = False,
) -> None:
    """Show one dead letter with all that is known about it."""
    from ...application import load_broker
    from . import listing

    raise typer.Exit(listing.show(load_broker(app), id, as_json=json))


@app.command()
@takes(wanted=meant, options=how)
def replay(
    *,
    app: App = None,
    wanted: Filter,
    options: Options,
    to: Annotated[str | None, typer.Option(metavar="QUEUE", help="Into this queue instead.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PLACE=VALUE", help="Mend an argument: args.0.email=ann@example.com."),
    ] = None,
) -> None:
    """Enqueue jobs again: same id, attempts from the start. A job may run twice, none is lost."""
    from ...application import load_broker
    from ...dead_letters.edits import parse_edit
    from ...runtime.garbage import make_collections_rare
    from . import replay_and_discard as actions

    edits = [parse_edit(text) for text in set_ or ()]
    broker = load_broker(app)
    make_collections_rare()  # of many letters, a fifth of the time would go to the collector
    raise typer.Exit(actions.replay_all(broker, wanted, options, to=to, edits=edits))


@app.command()
@takes(wanted=meant, options=how)
def discard(*, app: App = None, wanted: Filter, options: Options) -> None:
    """Drop dead letters for good; export them before."""
    from ...application import load_broker
    from ...runtime.garbage import make_collections_rare
    from . import replay_and_discard as actions

    broker = load_broker(app)
    make_collections_rare()
    raise typer.Exit(actions.discard_all(broker, wanted, options))


@app.command()
@takes(wanted=filter_of)
def export(
    file: Annotated[Path, typer.Argument(help="File that does not exist yet.")],
    *,
    app: App = None,
    wanted: Filter,
) -> None:
    """Write dead letters into a file, with all their bytes."""
    from ...application import load_broker
    from . import files

    raise typer.Exit(files.export(load_broker(app), wanted, file))


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="What `export` wrote.", exists=True, dir_okay=False)],
    app: App = None,
) -> None:
    """Write the dead letters of a file back into the topic."""
    from ...application import load_broker
    from . import files

    raise typer.Exit(files.import_file(load_broker(app), file))
