"""Stores a row that lets a notice go out as one mail, however often its job runs, and says its state.

A row has a state and, while a worker sends the mail, a claim: a token of that worker and the time when the
claim ends. Every write is one statement whose WHERE says what may be overwritten, so that of any number
of workers one wins:

    nothing, failed,      claim                 settle
    postponed, or a   ─────────────▶  sending  ─────────▶  sent
    claim that ended                     │
                                         └──────────────▶  failed      (the job is tried again)
                                              release
    nothing, failed, postponed  ─────────▶  postponed, opted-out      (what is sending keeps its claim)
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from dramatiq.errors import Retry
from sqlalchemy import (
    Column,
    Connection,
    Executable,
    Index,
    Integer,
    Row,
    Table,
    Text,
    and_,
    bindparam,
    or_,
    select,
)

from workers.errors import WorkersError, plain_text

from ..storage.column_types import UtcDateTime, metadata
from ..storage.database import Database
from ..storage.engine import DatabaseUnavailable
from ..storage.prepared import Prepared
from ..text import one_line
from .notice import Notice

#: Longest error text that a row keeps, in characters.
_MAX_ERROR_LENGTH = 500


class DeliveryState(StrEnum):
    """The state of a delivery. SENT and OPTED_OUT are final."""

    SENDING = "sending"  #: A worker has the claim; from ``until`` on, another may take it over.
    SENT = "sent"
    FAILED = "failed"  #: The server did not take the mail; the job is tried again, or is a dead letter.
    POSTPONED = "postponed"  #: Until the recipient's quiet hours end, at ``until``.
    OPTED_OUT = "opted-out"


FINAL = (DeliveryState.SENT, DeliveryState.OPTED_OUT)


def require_time(notice_id: object, *, claimed_at: datetime, now: datetime, lease: timedelta) -> None:
    """Refuse a claim that took so long to commit that it could end while the mail is on its way.

    Raises DatabaseUnavailable.
    """
    took = now - claimed_at
    if took > lease / 2:
        raise DatabaseUnavailable(f"The database took {took} to let notice {notice_id} be sent")


deliveries = Table(
    "deliveries",
    metadata,
    # The id of the notice.
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("claim", Text),
    Column("until", UtcDateTime),
    Column("error", Text),
    Column("created_at", UtcDateTime, nullable=False, index=True),
    Column("updated_at", UtcDateTime, nullable=False),
    Index(None, "recipient", "updated_at"),
)

#: The columns that a row is written with.
_COLUMNS = (
    "id",
    "kind",
    "recipient",
    "state",
    "attempts",
    "claim",
    "until",
    "created_at",
    "updated_at",
)

# Built once: building a statement costs more than what the database does with it.
_FIND = select(deliveries).where(deliveries.c.id.in_(bindparam("ids", expanding=True)))
_OWN = and_(deliveries.c.id == bindparam("own_id"), deliveries.c.claim == bindparam("own_claim"))
_RELEASE = deliveries.update().where(_OWN)
# The claim stays: it says who has sent the mail.
_SETTLE = Prepared(
    deliveries.update()
    .where(_OWN)
    .values(state=DeliveryState.SENT, until=None, error=None, updated_at=bindparam("updated_at"))
)


class Settled(NamedTuple):
    """A mail that was sent at ``now`` by the holder of the claim ``token``."""

    id: str
    token: str
    now: datetime


class Released(NamedTuple):
    """A mail that was not sent, as its holder of the claim ``token`` found at ``now``."""

    id: str
    token: str
    now: datetime
    error: str


class DeliveryBusy(WorkersError, Retry):
    """Another worker is sending the same notice now; the job is tried again when that claim ends."""

    def __init__(self, message: str, delay_ms: int) -> None:
        WorkersError.__init__(self, message)
        self.delay = delay_ms


class DeliveryStore:
    """Reads and writes the rows. Any thread may use it; every method raises DatabaseError."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._upsert = _upsert_on(database)
        self._claims = Prepared(self._upsert, _COLUMNS)
        self._claim = database.together(self.claim_all)
        self._settle = database.together(self._settle_each)

    def claim(self, notice: Notice, *, now: datetime, lease: timedelta) -> str | None:
        """Claim the notice; returns the token to settle or release it with, None if its state is final.

        The claim ends after ``lease``: a worker that dies holds its notice up for no longer.

        Raises:
            DeliveryBusy: another worker has the claim.
        """
        wanted = claim_of(notice, now=now, lease=lease)
        row = self._claim(wanted)
        if row is None:
            return str(wanted["claim"])
        if row.state in FINAL:
            return None
        left_ms = max(0, int((row.until - now).total_seconds() * 1000)) if row.until else 0
        raise DeliveryBusy(f"the notice {notice.id} is being sent by another worker", left_ms + 1_000)

    def settle(self, notice: Notice, token: str, *, now: datetime) -> bool:
        """Record that the mail is sent; returns False if another worker took the claim over meanwhile."""
        return self._settle(Settled(str(notice.id), token, now))

    def release(self, notice: Notice, token: str, *, error: str, now: datetime) -> None:
        """Release the claim: the mail is not sent, and the next worker may try."""
        released = Released(str(notice.id), token, now, error)
        self._database.write(lambda connection: self.release_all(connection, [released]))

    def postpone(self, notice: Notice, until: datetime, *, now: datetime) -> None:
        """Record that a job will send the notice at ``until``, unless a worker has the claim."""
        self._write(notice, {"state": DeliveryState.POSTPONED, "claim": None, "until": until}, now=now)

    def opt_out(self, notice: Notice, *, now: datetime) -> None:
        """Record that the recipient does not want the notice, unless a worker has the claim."""
        self._write(notice, {"state": DeliveryState.OPTED_OUT, "claim": None, "until": None}, now=now)

    def newest(
        self, limit: int, *, recipient: str | None = None, state: DeliveryState | None = None
    ) -> list[Row[Any]]:
        """The rows that changed last, of a recipient and in a state if given. Raises DatabaseError."""
        wanted = select(deliveries).order_by(deliveries.c.updated_at.desc(), deliveries.c.id).limit(limit)
        if recipient is not None:
            wanted = wanted.where(deliveries.c.recipient == recipient)
        if state is not None:
            wanted = wanted.where(deliveries.c.state == state)
        with self._database.reading() as connection:
            return list(connection.execute(wanted))

    def find(self, notice_id: UUID) -> Row[Any] | None:
        """The row of a notice, if there is one."""
        with self._database.reading() as connection:
            return connection.execute(_FIND, {"ids": [str(notice_id)]}).first()

    def latest(self, address: str, *, limit: int) -> Sequence[Row[Any]]:
        """The rows of a recipient, the latest first."""
        columns = deliveries.c
        rows = select(deliveries).where(columns.recipient == address.lower())
        with self._database.reading() as connection:
            return connection.execute(rows.order_by(columns.updated_at.desc()).limit(limit)).all()

    def _write(self, notice: Notice, values: dict[str, Any], *, now: datetime) -> None:
        """Write the row, unless its state is final or a worker has the claim."""
        row = _row(notice, values, now=now, attempts=0)
        self._database.write(lambda connection: connection.execute(self._upsert, row))

    def claim_all(
        self, connection: Connection, wanted: Sequence[dict[str, Any]]
    ) -> Sequence[Row[Any] | None]:
        """Write the rows (`claim_of`) that may be written: None for each of them, else the row that is there.

        No two may be of the same notice.
        """
        if not wanted:
            return []
        # Sorted: two transactions that lock rows in different orders would wait for each other for ever.
        written = self._claims.execute(connection, sorted(wanted, key=itemgetter("id")))
        if written == len(wanted):
            return [None] * len(wanted)
        found = _rows(connection, [row["id"] for row in wanted])
        return [None if found[row["id"]].claim == row["claim"] else found[row["id"]] for row in wanted]

    def settle_all(self, connection: Connection, sent: Sequence[Settled]) -> Sequence[str]:
        """As `settle`, for many in one transaction; returns the ids whose claim another worker has."""
        values = [{"own_id": one.id, "own_claim": one.token, "updated_at": one.now} for one in sorted(sent)]
        if not values or _SETTLE.execute(connection, values) == len(sent):
            return []
        found = _rows(connection, [one.id for one in sent])
        return [one.id for one in sent if one.id not in found or found[one.id].claim != one.token]

    def release_all(self, connection: Connection, failed: Sequence[Released]) -> None:
        """As `release`, for many in one transaction."""
        if failed:
            connection.execute(_RELEASE, [_failure(one) for one in sorted(failed)])

    def _settle_each(self, connection: Connection, sent: Sequence[Settled]) -> Sequence[bool]:
        lost = self.settle_all(connection, sent)
        return [one.id not in lost for one in sent]


def claim_of(notice: Notice, *, now: datetime, lease: timedelta) -> dict[str, Any]:
    """The row that claims a notice, for `DeliveryStore.claim_all`; its ``claim`` is a new token."""
    claimed = {"state": DeliveryState.SENDING, "claim": str(uuid4()), "until": now + lease}
    return _row(notice, claimed, now=now, attempts=1)


def _failure(one: Released) -> dict[str, Any]:
    return {
        "state": DeliveryState.FAILED,
        "claim": None,
        "until": None,
        "error": plain_text(one_line(one.error, _MAX_ERROR_LENGTH)),
        "own_id": one.id,
        "own_claim": one.token,
        "updated_at": one.now,
    }


def _rows(connection: Connection, ids: Sequence[str]) -> dict[str, Row[Any]]:
    return {row.id: row for row in connection.execute(_FIND, {"ids": ids})}


def _row(notice: Notice, values: dict[str, Any], *, now: datetime, attempts: int) -> dict[str, Any]:
    return values | {
        "id": str(notice.id),
        "kind": notice.kind,
        "recipient": notice.recipient.email.lower(),
        "attempts": attempts,
        "created_at": now,
        "updated_at": now,
    }


def _upsert_on(database: Database) -> Executable:
    """The statement that writes a row, given as parameters, unless it is final or a worker has the claim."""
    columns, insert = deliveries.c, database.insert(deliveries)
    new = insert.excluded
    return insert.on_conflict_do_update(
        index_elements=[columns.id],
        set_={name: new[name] for name in ("state", "claim", "until", "updated_at")}
        | {"attempts": columns.attempts + new.attempts},
        # No NOT IN: SQLAlchemy would render it anew each time.
        where=and_(
            *(columns.state != state for state in FINAL),
            or_(columns.claim.is_(None), columns.until <= new.updated_at),
        ),
    )
