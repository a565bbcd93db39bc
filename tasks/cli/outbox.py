"""Send what transactions left in the outbox, or look at it."""

from __future__ import annotations

from typing import Annotated

import typer

from workers.cli.options import LOOK, App, JsonLines
from workers.errors import WrongUsage

app = typer.Typer(
    **LOOK,
    invoke_without_command=True,
    help="Send what transactions left in the outbox, or look at it.",
)

_Ids = Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="Numbers, as list shows them.")]
_All = Annotated[bool, typer.Option("--all", help="All that were set aside.")]


@app.callback()
def relay(context: typer.Context, app: App = None, as_json: JsonLines = False) -> None:
    """Write to Kafka what transactions have left in the outbox, until SIGINT or SIGTERM.

    todo-workers web does it as well. Of several that run, one works and the others stand by. Rows are
    those of OUTBOX_DATABASE_URL, or else of DATABASE_URL.
    """
    if context.invoked_subcommand is None:
        from . import outbox_output

        outbox_output.run(app, as_json=as_json)


@app.command("list")
def list_(
    waiting: Annotated[bool, typer.Option("--waiting", help="Those that wait instead.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many to show.")] = 100,
    as_json: JsonLines = False,
) -> None:
    """Show the rows that Kafka never takes, and why.

    They were set aside; with --waiting, those that are still to be sent.
    """
    from . import outbox_output

    outbox_output.show_list(aside=not waiting, limit=limit, as_json=as_json)


@app.command()
def retry(ids: _Ids = None, every: _All = False) -> None:
    """Have rows that were set aside written after all.

    Later ones of the same todo have been written already.
    """
    from . import outbox_output

    outbox_output.retry(_chosen(ids, every))


@app.command()
def drop(ids: _Ids = None, every: _All = False) -> None:
    """Delete rows that were set aside. What they say is never published."""
    from . import outbox_output

    outbox_output.drop(_chosen(ids, every))


def _chosen(ids: list[int] | None, every: bool) -> list[int] | None:
    if bool(ids) == every:
        raise WrongUsage("Which rows? Give their numbers, as todo-workers outbox list shows them, or --all")
    return ids or None
