"""Look at the mails: what kinds there are, and how one looks."""

from __future__ import annotations

import json as json_format
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import NAMESPACE_DNS, uuid5

import typer
from pydantic import ValidationError
from rich.table import Table

from workers.cli.options import command_group
from workers.cli.terminal import console
from workers.errors import WrongUsage

from ..app import sender
from ..events.models import problems_of
from ..events.todos import Owner
from ..notifications.languages import available
from ..notifications.mail_message import compose
from ..notifications.notice import Notice, RenderError
from ..notifications.rendering import kinds, render, require_kind, sample_values

app = command_group("Look at the mails: what kinds there are, and how one looks.")


@app.command("list")
def list_(json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False) -> None:
    """Show the kinds of mails with their variables, and the languages."""
    variables = {kind: sorted(sample_values(kind)) for kind in kinds()}
    if json:
        for kind, names in variables.items():
            shown = {"kind": kind, "variables": names, "languages": list(available())}
            print(json_format.dumps(shown))
        return
    table = Table("kind", "variables", box=None)
    for kind, names in variables.items():
        table.add_row(kind, ", ".join(names))
    console().print(table)
    console().print(f"languages: {', '.join(available())}", highlight=False)


@app.command()
def preview(
    kind: Annotated[str, typer.Argument(help="Kind, as `list` shows it.")],
    language: Annotated[str, typer.Option(help="Language of the recipient: en, de, de-AT.")] = "en",
    time_zone: Annotated[str, typer.Option(help="Time zone of the recipient.")] = "Europe/Berlin",
    to: Annotated[
        str,
        typer.Option(
            metavar="terminal|FILE.eml|FILE.html", help="Where to; the file's name says which form."
        ),
    ] = "terminal",
    value: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=JSON", help="Another value for a variable: late=true, 'title=\"Milk\"'."),
    ] = None,
) -> None:
    """Render a mail with sample values."""
    notice = _sample_notice(kind, language=language, time_zone=time_zone, values=_values(value or []))
    content = render(notice)
    if to == "terminal":
        print(f"Subject: {content.subject}\n\n{content.text}")
        return
    file = Path(to)
    if file.suffix == ".html":
        file.write_text(content.html, encoding="utf-8")
    elif file.suffix == ".eml":
        now = datetime.now(UTC)
        mail = compose(content, sender=sender(), recipient=notice.recipient, notice_id=notice.id, date=now)
        file.write_bytes(mail)
    else:
        raise WrongUsage(f"--to {to!r} should be terminal, or a file whose name ends with .eml or .html")
    print(f"{file}: {content.subject}")


def _sample_notice(kind: str, *, language: str, time_zone: str, values: dict[str, Any]) -> Notice:
    """Make a notice with the sample values of its kind, some of them replaced. Raises WrongUsage."""
    try:
        recipient = Owner(
            name="Ana Petrović", email="ana@example.com", language=language, time_zone=time_zone
        )
        samples = sample_values(require_kind(kind))
    except ValidationError as exc:
        raise WrongUsage(problems_of(exc)) from exc
    except RenderError as exc:
        raise WrongUsage(str(exc)) from exc
    return Notice(id=uuid5(NAMESPACE_DNS, kind), kind=kind, recipient=recipient, values=samples | values)


def _values(edits: Sequence[str]) -> dict[str, Any]:
    values = {}
    for edit in edits:
        name, _, text = edit.partition("=")
        try:
            values[name] = json_format.loads(text)
        except ValueError as exc:
            raise WrongUsage(f"--value {edit!r} should be a name, = and a JSON value: late=true") from exc
    return values
