"""Compares what was published with the mails and the audit rows that came of it.

All of it goes through a temporary SQLite file: a night has millions of events.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

_TABLES = """
CREATE TABLE published (due REAL, confirmed REAL, event TEXT PRIMARY KEY, mail TEXT);
CREATE TABLE mails (at REAL, mail TEXT);
CREATE TABLE recorded (event TEXT PRIMARY KEY);
"""
_INDEX = "CREATE INDEX mails_of ON mails (mail)"
_LOST_ROWS = "SELECT count(*) FROM published WHERE event NOT IN (SELECT event FROM recorded)"
_LOST_MAILS = "SELECT count(*) FROM published WHERE mail NOT IN (SELECT mail FROM mails)"
_REPEATED = """
SELECT coalesce(sum(times - 1), 0)
FROM (SELECT count(*) AS times FROM mails GROUP BY mail HAVING count(*) > 1)
"""
_DELAYS = """
SELECT published.due, min(mails.at) - published.due FROM published JOIN mails ON mails.mail = published.mail
GROUP BY published.event
"""
_PUBLISHING = "SELECT due, confirmed - due FROM published"


@dataclass
class Outcome:
    """What became of the events. ``mail_s`` and ``publish_s`` have the delays of each slot of the load."""

    events: int = 0
    mails: int = 0
    lost_rows: int = 0
    lost_mails: int = 0
    repeated: int = 0
    mail_s: dict[int, list[float]] = field(default_factory=dict)
    publish_s: dict[int, list[float]] = field(default_factory=dict)


def compare(published: Path, mails: Path, recorded: Iterable[str], slot: Callable[[float], int]) -> Outcome:
    """Read both files and the ids of the recorded events; ``slot`` is of a time since the first event."""
    with closing(sqlite3.connect("")) as database:  # a temporary file
        database.executescript(_TABLES)
        database.executemany("INSERT OR IGNORE INTO published VALUES (?, ?, ?, ?)", _lines(published, 4))
        database.executemany("INSERT INTO mails VALUES (?, ?)", _lines(mails, 2))
        database.executemany("INSERT OR IGNORE INTO recorded VALUES (?)", ((one,) for one in recorded))
        database.execute(_INDEX)
        outcome = Outcome(
            events=_one(database, "SELECT count(*) FROM published"),
            mails=_one(database, "SELECT count(*) FROM mails"),
            lost_rows=_one(database, _LOST_ROWS),
            lost_mails=_one(database, _LOST_MAILS),
            repeated=_one(database, _REPEATED),
        )
        first = database.execute("SELECT min(due) FROM published").fetchone()[0] or 0.0
        for found, query in ((outcome.mail_s, _DELAYS), (outcome.publish_s, _PUBLISHING)):
            for due, delay in database.execute(query):
                found.setdefault(slot(due - first), []).append(delay)
    return outcome


def _lines(file: Path, words: int) -> Iterator[list[str]]:
    with file.open() as lines:
        for line in lines:
            found = line.split()
            if len(found) == words:  # the last line of one that was killed may be cut
                yield found


def _one(database: sqlite3.Connection, query: str) -> int:
    return int(database.execute(query).fetchone()[0])
