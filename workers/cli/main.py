"""The command `todo-workers`. Commands only: what they do is in the modules they call."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from ..errors import WorkersError, WrongUsage
from . import plugins
from .options import LOOK, command_group

#: Exit statuses; wrong usage has the one of typer.
FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130

app = command_group("A background worker pool on Kafka, and the work of a todo chatbot.")


def main() -> NoReturn:
    """Run the command line; errors that a user can mend are one line on standard error."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what matters of it is in our errors
    for plugin in plugins.plugins():
        _add(plugin.name, plugins.summary(plugin), partial(plugins.load, plugin))
    try:
        app(prog_name="todo-workers")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except OSError as exc:
        if exc.filename is None:
            raise
        print(f"todo-workers: {exc.filename}: {exc.strerror}", file=sys.stderr)  # noqa: T201
        sys.exit(FAILED)
    except Exception as exc:
        from settings import SettingsError  # noqa: PLC0415 - takes longer than the rest, and is seldom needed

        if not isinstance(exc, WorkersError | SettingsError):
            raise
        print(f"todo-workers: {exc}", file=sys.stderr)  # noqa: T201
        sys.exit(WRONG_USAGE if isinstance(exc, WrongUsage) else FAILED)
    sys.exit()


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
) -> None:
    """Run a real Apache Kafka on this machine until Ctrl-C."""
    from .local_kafka import run_in_foreground  # noqa: PLC0415 - keeps the other commands quick

    raise typer.Exit(run_in_foreground(port=port or None, data_dir=data))


_App = Annotated[
    str | None,
    typer.Option(
        metavar="MODULE[:BROKER]",
        help="Module with the actors, as for dramatiq; else the installed one.",
    ),
]


@app.command()
def topics(
    app: _App = None,
    check: Annotated[
        bool, typer.Option("--check", help="Create nothing; exit 1 where a topic is missing or differs.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
) -> None:
    """Show the topics; create those that are missing."""
    from . import status as operator_commands  # noqa: PLC0415 - keeps the other commands quick

    raise typer.Exit(operator_commands.topics(app, only_check=check, as_json=json))


@app.command()
def status(
    app: _App = None,
    watch: Annotated[bool, typer.Option("--watch", help="Again every two seconds, until Ctrl-C.")] = False,
    json: Annotated[bool, typer.Option("--json", help="A JSON array; with --watch one per line.")] = False,
) -> None:
    """Show for each queue what waits, what runs and who runs it."""
    from . import status as operator_commands  # noqa: PLC0415 - keeps the other commands quick

    operator_commands.status(app, watch=watch, as_json=json)


@app.command()
def doctor(
    app: _App = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
) -> None:
    """Look for what is wrong, and say how to mend it."""
    from . import doctor as doctor_command  # noqa: PLC0415 - keeps the other commands quick

    raise typer.Exit(doctor_command.doctor(app, as_json=json))


delayed_app = command_group("Look at the jobs that wait for their time.")
app.add_typer(delayed_app, name="delayed")


@delayed_app.command("list")
def delayed_list(
    app: _App = None,
    queue: Annotated[str | None, typer.Option(help="Only jobs of this queue.")] = None,
    actor: Annotated[str | None, typer.Option(help="Only jobs of this actor.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many to show.")] = 100,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """Show the delayed jobs that are due first."""
    from . import delayed as delayed_commands  # noqa: PLC0415 - keeps the other commands quick

    delayed_commands.show(app, queue=queue, actor=actor, limit=limit, as_json=json)


@app.command()
def mover(app: _App = None) -> None:
    """Move delayed jobs until Ctrl-C. Worker processes do it as well."""
    from . import delayed as delayed_commands  # noqa: PLC0415 - keeps the other commands quick

    delayed_commands.run_mover(app)


def _add(name: str, summary: str, load: Callable[[], Any]) -> None:
    """Add a command, a typer app or a function with typer annotations, that is imported when it runs."""

    @app.command(
        name,
        help=summary,
        add_help_option=False,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )
    def command(context: typer.Context) -> None:
        loaded = load()
        if not isinstance(loaded, typer.Typer):
            function, loaded = loaded, typer.Typer(**LOOK)
            loaded.command()(function)
        loaded(context.args, prog_name=context.command_path)


def _dead_letters() -> typer.Typer:
    from .dead_letters import commands as dead_letter_cli  # noqa: PLC0415 - keeps the other commands quick

    return dead_letter_cli.app


_add("dead-letters", "Look at the jobs that were given up; replay or drop them.", _dead_letters)
