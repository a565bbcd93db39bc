"""The preferences of recipients: which kinds of notices they have opted out of, and their quiet hours."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Column, Row, Select, Table, Text, bindparam, select

from settings.addresses import mail_address
from workers.errors import WrongUsage

from ..storage.column_types import ExactJson, metadata
from ..storage.database import Database
from ..storage.prepared import PreparedLookUp
from . import rendering
from .delivery_store import deliveries
from .notice import RenderError
from .quiet_hours import QuietHours, parse_quiet_hours

#: Stands for every kind, also for one that is added later.
EVERY_KIND = "*"

recipients = Table(
    "recipients",
    metadata,
    Column("address", Text, primary_key=True),
    Column("opted_out", ExactJson, nullable=False),
    Column("quiet_hours", Text),
)

# Built once: building a statement costs more than what the database does with it.
_ROW: Select[tuple[Any, ...]] = select(recipients.c.opted_out, recipients.c.quiet_hours).where(
    recipients.c.address == bindparam("key")
)
_ROWS = PreparedLookUp(lambda keys: select(recipients).where(recipients.c.address.in_(keys)))


@dataclass(frozen=True)
class Preferences:
    """The preferences of one recipient; by default every notice goes out at once."""

    opted_out: frozenset[str] = frozenset()
    quiet_hours: QuietHours | None = None

    def refuses(self, kind: str) -> bool:
        """Whether the recipient has opted out of that kind."""
        return not self.opted_out.isdisjoint({kind, EVERY_KIND})

    def quiet_until(self, now: datetime, zone: ZoneInfo) -> datetime | None:
        """When the quiet hours end that ``now`` is in; None if it is in none."""
        return self.quiet_hours.end_of(now, zone) if self.quiet_hours else None

    def with_kinds(self, kinds: frozenset[str], *, known: Iterable[str]) -> Preferences:
        """The same preferences, opted in to ``kinds``.

        Whoever had opted out of every kind stays opted out of the other ``known`` ones.
        """
        if EVERY_KIND in kinds:
            return replace(self, opted_out=frozenset())
        refused = frozenset(known) if EVERY_KIND in self.opted_out else self.opted_out
        return replace(self, opted_out=refused - kinds)


class RecipientStore:
    """Reads and writes preferences, by address in any case. Any thread may use it.

    Every method raises WrongUsage if the address or a kind is not one, and DatabaseError. A method that
    changes something returns the new preferences.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def preferences(self, address: str) -> Preferences:
        """The recipient's preferences."""
        with self._database.reading() as connection:
            return _preferences(connection.execute(_ROW, {"key": _key(address)}).first())

    def with_preferences(self, addresses: Iterable[str]) -> dict[str, Preferences]:
        """The preferences of those who have some, by address in lower case. The addresses must be valid."""
        keys = list({address.lower() for address in addresses})
        if not keys:
            return {}
        with self._database.reading() as connection:
            return {row.address: _preferences(row) for row in _ROWS.rows(connection, keys)}

    def opt_out(self, address: str, kinds: Iterable[str]) -> Preferences:
        """Send the recipient no more notices of these kinds; EVERY_KIND is one of them."""
        refused = _checked(kinds)
        return self._change(address, lambda now: replace(now, opted_out=now.opted_out | refused))

    def opt_in(self, address: str, kinds: Iterable[str]) -> Preferences:
        """Send the recipient notices of these kinds again."""
        wanted = _checked(kinds)
        return self._change(address, lambda now: now.with_kinds(wanted, known=rendering.kinds()))

    def set_quiet_hours(self, address: str, quiet_hours: QuietHours | None) -> Preferences:
        """Send the recipient nothing in these hours, by the clock of its zone; None ends that."""
        return self._change(address, lambda now: replace(now, quiet_hours=quiet_hours))

    def replace(self, address: str, opted_out: Iterable[str], quiet_hours: QuietHours | None) -> Preferences:
        """Set all that the recipient wants, whatever it was."""
        wanted = Preferences(_checked(opted_out), quiet_hours)
        return self._change(address, lambda _: wanted)

    def unsubscribe(self, notice_id: UUID) -> Preferences | None:
        """Opt the recipient of a notice out of its kind; for the page that a mail's headers name.

        Returns None if no such notice was sent.
        """
        sent = select(deliveries.c.recipient, deliveries.c.kind).where(deliveries.c.id == str(notice_id))
        with self._database.reading() as connection:
            row = connection.execute(sent).first()
        return self.opt_out(row.recipient, [row.kind]) if row else None

    def _change(self, address: str, change: Callable[[Preferences], Preferences]) -> Preferences:
        key = _key(address)
        new = {"address": key, "opted_out": []}
        with self._database.writing() as connection:
            connection.execute(self._database.insert(recipients).values(new).on_conflict_do_nothing())
            # Locked: nobody else changes the row until the transaction ends.
            now = _preferences(connection.execute(_ROW.with_for_update(), {"key": key}).one())
            wanted = change(now)
            values = {
                "opted_out": sorted(wanted.opted_out),
                "quiet_hours": str(wanted.quiet_hours) if wanted.quiet_hours else None,
            }
            connection.execute(recipients.update().where(recipients.c.address == key).values(values))
        return wanted


def _preferences(row: Row[Any] | None) -> Preferences:
    if row is None:
        return Preferences()
    quiet_hours = parse_quiet_hours(row.quiet_hours) if row.quiet_hours else None
    return Preferences(frozenset(row.opted_out), quiet_hours)


def _key(address: str) -> str:
    try:
        return mail_address(address).lower()
    except ValueError as exc:
        raise WrongUsage(f"{address!r} {exc}") from exc


def _checked(kinds: Iterable[str]) -> frozenset[str]:
    wanted = frozenset(kinds)
    for kind in wanted - {EVERY_KIND}:
        try:
            rendering.require_kind(kind)
        except RenderError as exc:
            raise WrongUsage(str(exc)) from exc
    return wanted
