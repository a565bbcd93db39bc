"""What recipients want: which kinds of notices they do not want, and when they want to be left alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Column, Connection, Row, Select, Table, Text, select

from .database import Database
from .quiet_hours import QuietHours, parse_quiet_hours
from .tables import ExactJson, metadata

#: Stands for every kind, also one that comes into being later.
EVERY_KIND = "*"

recipients = Table(
    "recipients",
    metadata,
    Column("address", Text, primary_key=True),
    Column("opted_out", ExactJson, nullable=False),
    Column("quiet_hours", Text),
)


@dataclass(frozen=True)
class Preferences:
    """What one recipient wants; without any of it, every notice at once."""

    opted_out: frozenset[str] = frozenset()
    quiet_hours: QuietHours | None = None

    def refuses(self, kind: str) -> bool:
        """Whether the recipient wants no notices of that kind."""
        return not self.opted_out.isdisjoint({kind, EVERY_KIND})

    def quiet_until(self, now: datetime, zone: ZoneInfo) -> datetime | None:
        """Give when the quiet hours end that ``now`` is in; None where it is in none."""
        return self.quiet_hours.end_of(now, zone) if self.quiet_hours else None

    def without(self, kinds: Iterable[str], known: Iterable[str]) -> Preferences:
        """Opt in to ``kinds``; ``known`` are all there are, for whoever wanted none at all."""
        refused = self.opted_out - {EVERY_KIND} | (set(known) if EVERY_KIND in self.opted_out else set())
        left = set() if EVERY_KIND in set(kinds) else refused - set(kinds)
        return replace(self, opted_out=frozenset(left))


class Recipients:
    """Keeps what recipients want, by address, in whatever case that is written. Any thread may use it.

    Every method raises StoreError where the database fails.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def preferences(self, address: str) -> Preferences:
        """Give what the recipient wants."""
        with self._database.reading() as connection:
            return _preferences(connection.execute(_row_of(address)).first())

    def opt_out(self, address: str, kinds: Iterable[str]) -> Preferences:
        """Send the recipient no notices of these kinds any more."""
        with self._database.writing() as connection:
            wanted = self._locked(connection, address)
            return _write(connection, address, replace(wanted, opted_out=wanted.opted_out | set(kinds)))

    def opt_in(self, address: str, kinds: Iterable[str], *, known: Iterable[str]) -> Preferences:
        """Send the recipient notices of these kinds again; ``known`` are all kinds there are."""
        with self._database.writing() as connection:
            wanted = self._locked(connection, address)
            return _write(connection, address, wanted.without(kinds, known))

    def set_quiet_hours(self, address: str, quiet_hours: QuietHours | None) -> Preferences:
        """Leave the recipient alone in these hours; None ends that."""
        with self._database.writing() as connection:
            wanted = self._locked(connection, address)
            return _write(connection, address, replace(wanted, quiet_hours=quiet_hours))

    def _locked(self, connection: Connection, address: str) -> Preferences:
        """Read what is to be changed; nobody else changes it until the transaction ends."""
        new = {"address": _key(address), "opted_out": []}
        connection.execute(self._database.insert(recipients).values(new).on_conflict_do_nothing())
        return _preferences(connection.execute(_row_of(address).with_for_update()).one())


def _write(connection: Connection, address: str, wanted: Preferences) -> Preferences:
    values = {
        "opted_out": sorted(wanted.opted_out),
        "quiet_hours": str(wanted.quiet_hours) if wanted.quiet_hours else None,
    }
    connection.execute(recipients.update().where(recipients.c.address == _key(address)).values(values))
    return wanted


def _preferences(row: Row[Any] | None) -> Preferences:
    if row is None:
        return Preferences()
    quiet_hours = parse_quiet_hours(row.quiet_hours) if row.quiet_hours else None
    return Preferences(frozenset(row.opted_out), quiet_hours)


def _row_of(address: str) -> Select[tuple[Any, ...]]:
    return select(recipients.c.opted_out, recipients.c.quiet_hours).where(
        recipients.c.address == _key(address)
    )


def _key(address: str) -> str:
    return address.lower()
