"""Publish events by hand, and write down what they look like."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from workers.cli.options import command_group
from workers.cli.terminal import visible
from workers.errors import MessageTooLarge, Undecodable, WrongUsage
from workers.records.envelope import Record
from workers.records.sources import Incoming

from .. import publishing
from ..actors.events import EVENT_LOG_RETENTION_MS
from ..events import schemas
from ..events.cloud_events import event_of
from ..events.models import EVENT_TYPES, Event, InvalidEvent
from ..updates import asyncapi

app = command_group("Publish events by hand, and write down what they look like.")


@app.command()
def publish(
    file: Annotated[
        typer.FileBinaryRead, typer.Argument(help="JSON, an array, or one event a line; - is stdin.")
    ],
) -> None:
    """Publish the events of a file. They are CloudEvents, or what `event.model_dump_json()` gives."""
    publish_text(file.read())


@app.command()
def schema(
    event_type: Annotated[str | None, typer.Argument(metavar="[TYPE]", help="Such as todo.created.")] = None,
) -> None:
    """Print the JSON Schema of a type's data. Without a type, the AsyncAPI document of all."""
    show_schema(event_type)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(file_okay=False)] = Path("docs"),
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if a file differs.")] = False,
) -> None:
    """Write the schemas of all events into a folder. They are JSON Schemas and an AsyncAPI document."""
    differing = check_schemas(folder) if check else write_schemas(folder)
    raise typer.Exit(int(check and differing > 0))


def write_schemas(folder: Path) -> int:
    """Write the schemas that are missing or differ, and return how many those were."""
    differing = _differing(folder)
    for file, text in differing.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        print(f"written {file}")
    return len(differing)


def check_schemas(folder: Path) -> int:
    """Print on stderr which schemas are missing or differ, and return how many those are."""
    differing = _differing(folder)
    for file in differing:
        print(f"{file} is not what the models say: todo-workers events export {folder}", file=sys.stderr)
    return len(differing)


def _differing(folder: Path) -> dict[Path, str]:
    files = {folder / path: text for path, text in asyncapi.files(EVENT_LOG_RETENTION_MS).items()}
    return {
        file: text
        for file, text in files.items()
        if not file.is_file() or file.read_text(encoding="utf-8") != text
    }


def show_schema(event_type: str | None) -> None:
    """Print the schema of a type's data, or the AsyncAPI document of all types. Raises WrongUsage."""
    if event_type is None:
        document = asyncapi.asyncapi(EVENT_LOG_RETENTION_MS)
    elif event_type in EVENT_TYPES:
        document = schemas.data_schema(event_type)
    else:
        raise WrongUsage(f"There is no event type {event_type!r}; those are {', '.join(EVENT_TYPES)}")
    print(schemas.as_text(document), end="")


def publish_text(text: bytes) -> None:
    """Publish the events of a JSON value, an array, or one a line; all are checked before the first goes.

    Raises:
        WrongUsage: one of them is no event or is too large, and nothing was published.
    """
    made = [_made(number, value) for number, value in enumerate(_values(text), 1)]
    for event, record in made:
        publishing.write_event(record)
        print(visible(f"{event.event_id} {event.type} {event.todo.id}"), flush=True)


def _made(number: int, value: Any) -> tuple[Event, Record]:
    """An event, and the record that publishes it."""
    try:
        if isinstance(value, dict) and "specversion" in value:
            now_ms = int(time.time() * 1000)  # the time of an event that names none
            value = event_of(Incoming(None, json.dumps(value).encode(), [], now_ms), max_ahead=None)
        return publishing.make_record(value)
    except (InvalidEvent, Undecodable, MessageTooLarge, RecursionError) as exc:
        raise WrongUsage(f"Event {number}: {exc}; nothing was published") from exc


def _values(text: bytes) -> list[Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        try:
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        except (ValueError, RecursionError) as exc:
            raise WrongUsage(f"It is neither JSON nor JSON Lines: {exc}; nothing was published") from exc
    return found if isinstance(found, list) else [found]
