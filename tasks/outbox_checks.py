"""Looks at the outbox, for `todo-workers doctor` and `todo-workers status`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from workers.display.times import length_of_time
from workers.errors import WorkersError

from .outbox import outbox, outbox_database

if TYPE_CHECKING:
    from workers.outbox.outbox import OutboxStatus

#: A row that waits for longer is a finding.
_PATIENCE_S = 60.0


def check_outbox() -> str:
    """Say how the outbox stands. Raises WorkersError if rows wait for too long, or were set aside."""
    found = _status()
    if found is None:
        return "its database is not there yet"
    line = _line(found)
    if found.set_aside:
        raise WorkersError(f"{line}; todo-workers outbox list says why, and retry or drop decides")
    if (found.oldest_s or 0.0) > _PATIENCE_S:
        how = "look at the log of the relay" if found.is_relayed else "start todo-workers web, or outbox"
        raise WorkersError(f"{line}; {how}")
    return line


def look_at_outbox() -> tuple[str, Mapping[str, object]]:
    """Return a line about the outbox, and its counts."""
    try:
        found = _status()
    except WorkersError as exc:
        return str(exc), {}
    if found is None:
        return "its database is not there yet", {}
    return _line(found), asdict(found)


def _status() -> OutboxStatus | None:
    """How it stands; None if the file of its database is not there, which a look must not make."""
    database = outbox_database()
    if database.is_sqlite and not Path(database.engine.url.database or "").exists():
        return None
    return outbox().status()


def _line(found: OutboxStatus) -> str:
    waits = f"{found.waiting:,} wait"
    if found.oldest_s is not None:
        waits += f", the oldest for {length_of_time(found.oldest_s)}"
    missing = "NO RELAY WORKS" if found.waiting else "no relay works"
    relay = "a relay works" if found.is_relayed else missing
    return f"{waits}, {found.set_aside:,} set aside, {relay}"
