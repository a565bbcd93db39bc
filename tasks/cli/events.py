"""Publish events by hand, and write down what they look like.

Commands only: what they do is in the modules they call.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from workers.cli.options import command_group

from . import event_commands

app = command_group("Publish events by hand, and write down what they look like.")


@app.command()
def publish(
    file: Annotated[
        typer.FileBinaryRead, typer.Argument(help="JSON, an array, or one event a line; - is stdin.")
    ],
) -> None:
    """Publish the events of a file. They are CloudEvents, or what `event.model_dump_json()` gives."""
    event_commands.publish_text(file.read())


@app.command()
def schema(
    event_type: Annotated[str | None, typer.Argument(metavar="[TYPE]", help="Such as todo.created.")] = None,
) -> None:
    """Print the JSON Schema of a type's data. Without a type, the AsyncAPI document of all."""
    event_commands.show_schema(event_type)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(file_okay=False)] = Path("docs"),
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if a file differs.")] = False,
) -> None:
    """Write the schemas of all events into a folder. They are JSON Schemas and an AsyncAPI document."""
    raise typer.Exit(event_commands.export(folder, check=check))
