"""What became of each notice: the row that lets its mail go out once, however often its job runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from dramatiq.errors import Retry
from sqlalchemy import Column, Executable, Index, Integer, Row, Table, Text, and_, bindparam, or_, select

from workers.errors import WorkersError

from .database import Database
from .notices import Notice
from .tables import UtcDateTime, metadata

#: Longest error text that a row keeps, in characters.
_MAX_ERROR_LENGTH = 500


class State(StrEnum):
    """Where a notice is on its way. What is SENT or OPTED_OUT stays so."""

    SENDING = "sending"  #: Claimed by a worker; ``until`` is when others may take the claim over.
    SENT = "sent"
    FAILED = "failed"  #: The server did not take it; the job is tried again, or is a dead letter.
    POSTPONED = "postponed"  #: To the end of the recipient's quiet hours, which is ``until``.
    OPTED_OUT = "opted-out"


FINAL = (State.SENT, State.OPTED_OUT)

deliveries = Table(
    "deliveries",
    metadata,
    # The notice's id.
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("claim", Text),
    Column("until", UtcDateTime),
    Column("error", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Index(None, "recipient", "updated_at"),
)

# Statements are built once: that costs more than what the database does with them.
_FIND = select(deliveries).where(deliveries.c.id == bindparam("own_id"))
_UPDATE = deliveries.update().where(
    deliveries.c.id == bindparam("own_id"), deliveries.c.claim == bindparam("own_claim")
)


class DeliveryBusy(WorkersError, Retry):
    """Another worker is sending the same notice now: the job is tried again when its claim ends."""

    def __init__(self, message: str, delay_ms: int) -> None:
        WorkersError.__init__(self, message)
        self.delay = delay_ms


class DeliveryStore:
    """Keeps the rows. Any thread may use it; every method raises StoreError where the database fails."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._upsert = _upsert_on(database)

    def claim(self, notice: Notice, *, now: datetime, lease: timedelta) -> str | None:
        """Take the notice in hand, and give the token to settle or release it with; None where it is done.

        The claim ends after ``lease``, so that a worker that died holds nothing up for longer.

        Raises:
            DeliveryBusy: another worker has it in hand.
        """
        token = str(uuid4())
        claimed = {"state": State.SENDING, "claim": token, "until": now + lease}
        if self._write(notice, claimed, now=now, attempts=1):
            return token
        row = self.find(notice.id)
        if row is None or row.state in FINAL:
            return None
        left_ms = max(0, int((row.until - now).total_seconds() * 1000)) if row.until else 0
        raise DeliveryBusy(f"the notice {notice.id} is being sent by another worker", left_ms + 1_000)

    def settle(self, notice: Notice, token: str, *, now: datetime) -> bool:
        """Note that the mail is sent; give False where another worker took the claim over meanwhile."""
        values = {"state": State.SENT, "claim": None, "until": None, "error": None, "updated_at": now}
        return self._update(notice.id, token, values)

    def release(self, notice: Notice, token: str, *, error: str, now: datetime) -> None:
        """Give the notice back, not sent: whoever comes next may try."""
        values = {"state": State.FAILED, "claim": None, "until": None, "error": error[:_MAX_ERROR_LENGTH]}
        self._update(notice.id, token, values | {"updated_at": now})

    def postpone(self, notice: Notice, until: datetime, *, now: datetime) -> None:
        """Note that a job will send the notice at ``until``; a worker that has it in hand keeps it."""
        self._write(notice, {"state": State.POSTPONED, "claim": None, "until": until}, now=now)

    def opt_out(self, notice: Notice, *, now: datetime) -> None:
        """Note that the recipient does not want it; a worker that has it in hand keeps it."""
        self._write(notice, {"state": State.OPTED_OUT, "claim": None, "until": None}, now=now)

    def find(self, notice_id: UUID) -> Row[Any] | None:
        """Give the row of a notice."""
        with self._database.reading() as connection:
            return connection.execute(_FIND, {"own_id": str(notice_id)}).first()

    def latest(self, address: str, *, limit: int) -> Sequence[Row[Any]]:
        """Give the rows of a recipient, the latest first."""
        columns = deliveries.c
        rows = select(deliveries).where(columns.recipient == address.lower())
        with self._database.reading() as connection:
            return connection.execute(rows.order_by(columns.updated_at.desc()).limit(limit)).all()

    def _write(self, notice: Notice, values: dict[str, Any], *, now: datetime, attempts: int = 0) -> bool:
        """Write the row; give False, and do not, where it is final or another worker has a claim to it."""
        row = values | {
            "id": str(notice.id),
            "kind": notice.kind,
            "recipient": notice.recipient.email.lower(),
            "attempts": attempts,
            "created_at": now,
            "updated_at": now,
        }
        return self._database.write(lambda connection: connection.execute(self._upsert, row).rowcount == 1)

    def _update(self, notice_id: UUID, token: str, values: dict[str, Any]) -> bool:
        own = {"own_id": str(notice_id), "own_claim": token}
        return self._database.write(
            lambda connection: connection.execute(_UPDATE, values | own).rowcount == 1
        )


def _upsert_on(database: Database) -> Executable:
    """Write a row that is given as parameters, where it is not final and nobody else has a claim to it."""
    columns, insert = deliveries.c, database.insert(deliveries)
    new = insert.excluded
    upsert = insert.on_conflict_do_update(
        index_elements=[columns.id],
        set_={name: new[name] for name in ("state", "claim", "until", "updated_at")}
        | {"attempts": columns.attempts + new.attempts},
        # Not NOT IN, which SQLAlchemy would spell out anew each time.
        where=and_(
            *(columns.state != state for state in FINAL),
            or_(columns.claim.is_(None), columns.until <= new.updated_at),
        ),
    )
    # SQLAlchemy forgets how many rows an insert added, unless told otherwise.
    return upsert.execution_options(preserve_rowcount=True)
