"""The command `todo-workers`. Commands only: what they do is in the modules they call."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points, version
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from settings import SettingsError

from .errors import WorkersError

#: Exit statuses; typer's own for wrong usage is 2.
FAILED, INTERRUPTED = 1, 130

#: Packages that bring commands of their own name them in this group of entry points.
PLUGINS = "todo_workers.commands"

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A background worker pool on Kafka, and the work of a todo chatbot.",
)


def main() -> NoReturn:
    """Run the command line; errors that a user can mend are one line on standard error."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what matters of it is in our errors
    for plugin in sorted(entry_points(group=PLUGINS), key=lambda plugin: plugin.name):
        if _may_want(plugin.name, sys.argv[1:]):
            _add(plugin)
    try:
        app(prog_name="todo-workers")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except (WorkersError, SettingsError) as exc:
        print(f"todo-workers: {exc}", file=sys.stderr)  # noqa: T201
        sys.exit(FAILED)
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
    from .local_kafka_command import run_in_foreground  # noqa: PLC0415 - keeps the other commands quick

    raise typer.Exit(run_in_foreground(port=port or None, data_dir=data))


def _may_want(name: str, arguments: list[str]) -> bool:
    """Whether a command line may name or list a plugin: loading one imports all that it needs."""
    first = next((argument for argument in arguments if not argument.startswith("-")), None)
    return first in (None, name)


def _add(plugin: EntryPoint) -> None:
    """Add a plugin's command: an app of typer, or a function with typer's annotations."""
    try:
        loaded = plugin.load()
    except Exception as exc:  # noqa: BLE001 - whatever is wrong with it, the other commands must go on
        loaded = _explains(plugin.name, f"{type(exc).__name__}: {exc}")
    if isinstance(loaded, typer.Typer):
        app.add_typer(loaded, name=plugin.name)
    else:
        app.command(plugin.name)(loaded)


def _explains(name: str, problem: str) -> Callable[[], None]:
    def command() -> None:
        raise WorkersError(f"the command {name} cannot be loaded: {problem}")

    command.__doc__ = f"Cannot be loaded: {problem}"
    return command
