"""What `todo-workers recipients` does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rich.table import Table
from sqlalchemy import Row

from workers.cli.terminal import console
from workers.errors import WrongUsage

from ..events.fields import email_address
from ..notifications.delivery_store import DeliveryStore
from ..notifications.quiet_hours import parse_quiet_hours
from ..notifications.recipients import EVERY_KIND, Preferences, RecipientStore


def show(
    recipients: RecipientStore, deliveries: DeliveryStore, address: str, *, limit: int, as_json: bool
) -> None:
    """Show what the recipient wants and its latest notices. Raises WrongUsage, DatabaseError."""
    wanted = recipients.preferences(address)
    rows = deliveries.latest(email_address(address), limit=limit)
    if as_json:
        print(json.dumps(_as_json(wanted) | {"notices": [_row_as_json(row) for row in rows]}))  # noqa: T201
        return
    _print(address, wanted)
    if rows:
        table = Table("time", "kind", "state", "until", "notice", "error", box=None)
        for row in rows:
            until = f"{row.until:%Y-%m-%d %H:%M} UTC" if row.until else ""
            time = f"{row.updated_at:%Y-%m-%d %H:%M:%S} UTC"
            table.add_row(time, row.kind, row.state, until, row.id, row.error or "")
        console().print(table)


def opt_out(recipients: RecipientStore, address: str, kinds: Sequence[str], *, every: bool) -> None:
    """Opt a recipient out, and show what it wants now. Raises WrongUsage, DatabaseError."""
    _print(address, recipients.opt_out(address, _meant(kinds, every=every)))


def opt_in(recipients: RecipientStore, address: str, kinds: Sequence[str], *, every: bool) -> None:
    """Opt a recipient in, and show what it wants now. Raises WrongUsage, DatabaseError."""
    _print(address, recipients.opt_in(address, _meant(kinds, every=every)))


def quiet_hours(recipients: RecipientStore, address: str, hours: str) -> None:
    """Set or end quiet hours, and show what the recipient wants now. Raises WrongUsage, DatabaseError."""
    wanted = None if hours == "off" else parse_quiet_hours(hours)
    _print(address, recipients.set_quiet_hours(address, wanted))


def _meant(kinds: Sequence[str], *, every: bool) -> list[str]:
    if bool(kinds) == every:
        raise WrongUsage("Which kinds? Name some (todo-workers templates list), or --all")
    return [EVERY_KIND] if every else list(kinds)


def _print(address: str, wanted: Preferences) -> None:
    refused = "everything" if EVERY_KIND in wanted.opted_out else ", ".join(sorted(wanted.opted_out))
    print(f"{address}: opted out of {refused or 'nothing'}, quiet hours {wanted.quiet_hours or 'none'}")  # noqa: T201


def _as_json(wanted: Preferences) -> dict[str, Any]:
    quiet = str(wanted.quiet_hours) if wanted.quiet_hours else None
    return {"opted_out": sorted(wanted.opted_out), "quiet_hours": quiet}


def _row_as_json(row: Row[Any]) -> dict[str, Any]:
    shown = ("id", "kind", "state", "attempts", "until", "error", "created_at", "updated_at")
    values = {name: row._mapping[name] for name in shown}
    return {k: v.isoformat() if hasattr(v, "isoformat") else v for k, v in values.items()}
