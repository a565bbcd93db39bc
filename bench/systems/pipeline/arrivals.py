"""Reads when mails and audit rows arrived, from the mail server's notes and from the database."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, text

from tasks.storage.engine import make_engine

#: How often the audit trail is looked at: a row is seen half of that late, on average.
_LOOK_EVERY_S = 0.01

_LAST = text("SELECT coalesce(max(sequence), 0) FROM audit_trail")
_AFTER = text("SELECT sequence, event_id FROM audit_trail WHERE sequence > :first ORDER BY sequence")


class Mails:
    """The mails that `mail_sink` notes in ``file`` from now on."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._at = file.stat().st_size if file.exists() else 0
        self._rest = ""
        self._arrivals: list[tuple[str, float]] = []

    @property
    def count(self) -> int:
        """How many mails have come; one that came twice counts twice."""
        return len(self.arrivals())

    def arrivals(self) -> list[tuple[str, float]]:
        """The Message-ID of each mail, and when it came; one that came twice is there twice."""
        with self._file.open() as file:
            file.seek(self._at)
            found = file.read()
            self._at = file.tell()
        *lines, self._rest = (self._rest + found).split("\n")
        self._arrivals += [(name, float(at)) for at, name in (line.split() for line in lines)]
        return self._arrivals


class Rows:
    """The audit rows that are committed while it is entered; a thread looks for them all the time."""

    def __init__(self, database_url: str) -> None:
        self._engine = make_engine(database_url, reads=True)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        #: Pairs of a sequence and the time at which rows up to it were first seen.
        self._seen: list[tuple[int, float]] = []
        with self._engine.connect() as connection:
            self._first = _last(connection)

    @property
    def count(self) -> int:
        """How many rows have come."""
        return self._seen[-1][0] - self._first if self._seen else 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()

    def arrivals(self) -> list[tuple[str, float]]:
        """The event of each row, and when it was seen."""
        found, seen = [], iter(self._seen)
        upto, at = self._first, 0.0
        with self._engine.connect() as connection:
            for sequence, event_id in connection.execute(_AFTER, {"first": self._first}):
                while sequence > upto:
                    upto, at = next(seen)
                found.append((event_id, at))
        return found

    def _watch(self) -> None:
        with self._engine.connect() as connection:
            while not self._stopped.wait(_LOOK_EVERY_S):
                last = _last(connection)
                connection.rollback()  # the next look is at what is committed by then
                if last > self._first + self.count:
                    self._seen.append((last, time.monotonic()))


def _last(connection: Connection) -> int:
    last: int = connection.execute(_LAST).scalar_one()
    return last
