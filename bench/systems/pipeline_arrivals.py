"""Tells when mails and audit rows arrived, from the mail server's notes and from the database."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

#: Between two looks at the audit trail: on average, a row is seen half of that late.
_LOOK_EVERY_S = 0.01


class Mails:
    """Reads the mails that `mail_counter` notes in ``file`` from now on."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._from = file.stat().st_size if file.exists() else 0

    @property
    def count(self) -> int:
        return len(self._lines())

    def arrivals(self) -> list[tuple[str, float]]:
        """The Message-ID of each mail, and when it came; one that came twice is there twice."""
        found = (line.split() for line in self._lines())
        return [(name, float(at)) for at, name in found]

    def _lines(self) -> list[str]:
        with self._file.open() as file:
            file.seek(self._from)
            return [line for line in file.read().splitlines(keepends=True) if line.endswith("\n")]


class Rows:
    """Collects the audit rows that are committed inside the ``with`` block; a thread looks for them."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        #: Pairs of the highest sequence that a look saw, and when.
        self._seen: list[tuple[int, float]] = []
        self._first = self._last()

    @property
    def count(self) -> int:
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
        with closing(sqlite3.connect(self._database)) as connection:
            for sequence, event_id in connection.execute(
                "SELECT sequence, event_id FROM audit_trail WHERE sequence > ? ORDER BY sequence",
                (self._first,),
            ):
                while sequence > upto:
                    upto, at = next(seen)
                found.append((event_id, at))
        return found

    def _watch(self) -> None:
        with closing(sqlite3.connect(self._database)) as connection:
            while not self._stopped.wait(_LOOK_EVERY_S):
                last = self._last(connection)
                if last > self._first + self.count:
                    self._seen.append((last, time.monotonic()))

    def _last(self, connection: sqlite3.Connection | None = None) -> int:
        if connection is None:
            with closing(sqlite3.connect(self._database)) as own:
                return self._last(own)
        return connection.execute("SELECT coalesce(max(sequence), 0) FROM audit_trail").fetchone()[0]  # type: ignore[no-any-return]
