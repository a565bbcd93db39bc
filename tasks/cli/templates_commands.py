"""What `todo-workers templates` does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

from pydantic import ValidationError
from rich.table import Table

from workers.cli.terminal import console
from workers.errors import WrongUsage

from ..events.models import problems_of
from ..events.todos import Owner
from ..notifications.languages import available
from ..notifications.mail_message import compose
from ..notifications.notice import Notice, RenderError
from ..notifications.rendering import Notification, kinds, render, require_kind, sample_values


def show_list(*, as_json: bool) -> None:
    """Show every kind with its variables."""
    rows = {kind: sorted(sample_values(kind)) for kind in kinds()}
    if as_json:
        for kind, variables in rows.items():
            print(json.dumps({"kind": kind, "variables": variables, "languages": list(available())}))  # noqa: T201
        return
    table = Table("kind", "variables", box=None)
    for kind, variables in rows.items():
        table.add_row(kind, ", ".join(variables))
    console().print(table)
    console().print(f"languages: {', '.join(available())}", highlight=False)


def preview(kind: str, *, language: str, time_zone: str, to: str, edits: Sequence[str]) -> None:
    """Render the sample of a kind to the terminal or a file. Raises WrongUsage, RenderError."""
    notice = sample_notice(kind, language=language, time_zone=time_zone, values=_values(edits))
    content = render(notice)
    if to == "terminal":
        print(f"Subject: {content.subject}\n\n{content.text}")  # noqa: T201
        return
    file = Path(to)
    if file.suffix == ".html":
        file.write_text(content.html, encoding="utf-8")
    elif file.suffix == ".eml":
        file.write_bytes(_mail(notice, content))
    else:
        raise WrongUsage(f"--to {to!r} should be terminal, or a file whose name ends with .eml or .html")
    print(f"{file}: {content.subject}")  # noqa: T201


def sample_notice(kind: str, *, language: str, time_zone: str, values: dict[str, Any]) -> Notice:
    """Give a notice with the sample values of its kind, some of them replaced. Raises WrongUsage."""
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
            values[name] = json.loads(text)
        except ValueError as exc:
            raise WrongUsage(f"--value {edit!r} should be a name, = and a JSON value: late=true") from exc
    return values


def _mail(notice: Notice, content: Notification) -> bytes:
    from ..app import sender  # noqa: PLC0415 - only this needs the settings

    return compose(
        content, sender=sender(), recipient=notice.recipient, notice_id=notice.id, date=datetime.now(UTC)
    )
