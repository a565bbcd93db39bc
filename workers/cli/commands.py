"""Declares the pool's own commands with their options; `--help` shows the texts written here.

The work of a command is in a module of its own, which is imported when the command runs: so help and a wrong
command answer at once.
"""

from __future__ import annotations

from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from ..rights import Role
from .controls.commands import jobs_app, queues_app, switches_app
from .dead_letters.commands import app as dead_letters_app
from .options import App, JsonArray, JsonLines, command_group

app = command_group("A background worker pool on Kafka, and the work of a todo chatbot.")


class TopicsFormat(StrEnum):
    """How `topics` shows what is needed."""

    TABLE = "table"
    STRIMZI = "strimzi"


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"todo-workers {version('todo-workers')}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None: ...


@app.command()
def kafka(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")
    ] = 9092,
    data: Annotated[
        Path | None,
        typer.Option(help="Directory that keeps topics and messages; without it they are dropped."),
    ] = None,
    brokers: Annotated[
        int,
        typer.Option(
            min=1, max=9, help="How many: 1, or 3 and more, of which one may die. Ports follow --port."
        ),
    ] = 1,
) -> None:
    """Run a real Apache Kafka on this machine until Ctrl-C."""
    from .local_kafka import run_in_foreground

    raise typer.Exit(run_in_foreground(port=port or None, data_dir=data, brokers=brokers))


@app.command()
def topics(
    app: App = None,
    check: Annotated[
        bool, typer.Option("--check", help="Create nothing; exit 1 where a topic is missing or differs.")
    ] = False,
    json: JsonArray = False,
    form: Annotated[
        TopicsFormat,
        typer.Option(
            "--format", help="strimzi: topics and users as resources for Kubernetes; asks no Kafka."
        ),
    ] = TopicsFormat.TABLE,
    strimzi_cluster: Annotated[str, typer.Option(help="Strimzi's name of the Kafka cluster.")] = "kafka",
) -> None:
    """Show the topics; create those that are missing."""
    if form is TopicsFormat.STRIMZI:
        from ..application import load_broker
        from .topics.strimzi import manifests

        typer.echo(manifests(load_broker(app), strimzi_cluster), nl=False)
        return
    from .topics.table import show

    raise typer.Exit(show(app, only_check=check, as_json=json))


@app.command()
def status(
    app: App = None,
    watch: Annotated[bool, typer.Option("--watch", help="Again every two seconds, until Ctrl-C.")] = False,
    json: Annotated[bool, typer.Option("--json", help="A JSON array; with --watch one per line.")] = False,
) -> None:
    """Show for each queue what waits, what runs and who runs it."""
    from .status import show

    show(app, watch=watch, as_json=json)


@app.command()
def stats(
    app: App = None,
    days: Annotated[bool, typer.Option("--days", help="Thirty days instead of the last hour.")] = False,
    queue: Annotated[str | None, typer.Option(help="Only jobs of this queue.")] = None,
    actor: Annotated[str | None, typer.Option(help="Only jobs of this actor.")] = None,
    json: Annotated[
        bool, typer.Option("--json", help="JSON, with a slot for each minute, or with --days each hour.")
    ] = False,
) -> None:
    """Show what the workers did: jobs done, tried again, given up."""
    from .stats import show

    show(app, grain="coarse" if days else "detail", queue=queue, actor=actor, as_json=json)


@app.command()
def doctor(
    app: App = None,
    role: Annotated[
        Role | None,
        typer.Option(help="Ask for the rights of this role alone; else for those to send, work and trim."),
    ] = None,
    json: JsonArray = False,
) -> None:
    """Look for what is wrong, and say how to mend it."""
    from .doctor import show

    raise typer.Exit(show(app, role, as_json=json))


delayed_app = command_group("Look at the jobs that wait for their time.")


@delayed_app.command("list")
def delayed_list(
    app: App = None,
    queue: Annotated[str | None, typer.Option(help="Only jobs of this queue.")] = None,
    actor: Annotated[str | None, typer.Option(help="Only jobs of this actor.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many to show.")] = 100,
    json: JsonLines = False,
) -> None:
    """Show the delayed jobs that are due first."""
    from .delayed import show

    show(app, queue=queue, actor=actor, limit=limit, as_json=json)


@app.command()
def mover(app: App = None) -> None:
    """Move delayed jobs until Ctrl-C. Worker processes do it as well."""
    from .mover import run_mover

    run_mover(app)


actions_app = command_group("Look at what operators did, and verify the log.")


@actions_app.command("list")
def actions_list(
    app: App = None,
    who: Annotated[str | None, typer.Option(help="Only what this person did.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many to show.")] = 50,
    json: JsonLines = False,
) -> None:
    """Show who did what, the newest first."""
    from .actions import show

    raise typer.Exit(show(app, who=who, limit=limit, as_json=json))


@actions_app.command("verify")
def actions_verify(
    app: App = None,
    expect: Annotated[
        str | None,
        typer.Option(metavar="COUNT:HASH", help="A head that was printed earlier, and must be there still."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Say whether the log was changed.

    Exits with 1 then. Keep the head that it prints in another place.
    """
    from .actions import verify

    raise typer.Exit(verify(app, expect=expect, as_json=json))


app.add_typer(actions_app, name="actions")
app.add_typer(delayed_app, name="delayed")
app.add_typer(jobs_app, name="jobs")
app.add_typer(queues_app, name="queues")
app.add_typer(switches_app, name="switches")
app.add_typer(dead_letters_app, name="dead-letters")
