"""The tables of the index, and the triggers that count its letters."""

from __future__ import annotations

import sqlite3

#: Memory of the database, in KB.
_CACHE_KB = 48 * 1024

#: How many letters that count have the same facts: what a scan of a million rows would count. Triggers add
#: and take, so that no way in or out is forgotten.
_SUMMED = ("queue", "actor", "reason", "exception", "kind")
_ADD = (
    f"INSERT INTO sums VALUES ({', '.join(f'new.{name}' for name in _SUMMED)}, 1) "
    "ON CONFLICT DO UPDATE SET count = count + 1;"
)
_OLD = " AND ".join(f"{name} = old.{name}" for name in _SUMMED)
_TAKE = f"UPDATE sums SET count = count - 1 WHERE {_OLD}; DELETE FROM sums WHERE {_OLD} AND count = 0;"

_SCHEMA = f"""
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -{_CACHE_KB};
CREATE TABLE texts (number INTEGER PRIMARY KEY, text TEXT UNIQUE);
CREATE TABLE letters (
    number INTEGER PRIMARY KEY, partition INTEGER, place INTEGER, stamp INTEGER, key BLOB, id TEXT,
    time INTEGER, queue INTEGER, actor INTEGER, reason INTEGER, exception INTEGER, kind INTEGER, error TEXT,
    attempts INTEGER, replays INTEGER, is_ended INTEGER, is_old INTEGER, UNIQUE (partition, key)
);
CREATE INDEX facts ON letters (time, is_old, queue, actor, reason, exception, kind);
CREATE INDEX kinds ON letters ({", ".join(_SUMMED)}, time) WHERE NOT is_old;
CREATE INDEX keys ON letters (key);
CREATE INDEX ids ON letters (id);
CREATE TABLE sums (
    queue INTEGER, actor INTEGER, reason INTEGER, exception INTEGER, kind INTEGER, count INTEGER,
    PRIMARY KEY (queue, actor, reason, exception, kind)
) WITHOUT ROWID;
CREATE TRIGGER came AFTER INSERT ON letters WHEN NOT new.is_old BEGIN {_ADD} END;
CREATE TRIGGER went AFTER DELETE ON letters WHEN NOT old.is_old BEGIN {_TAKE} END;
CREATE TRIGGER was AFTER UPDATE ON letters WHEN NOT old.is_old BEGIN {_TAKE} END;
CREATE TRIGGER became AFTER UPDATE ON letters WHEN NOT new.is_old BEGIN {_ADD} END;
"""
_SAME = " AND ".join(f"letters.{name} = sums.{name}" for name in _SUMMED)
_TIME = f"(SELECT %s(time) FROM letters INDEXED BY kinds WHERE NOT is_old AND {_SAME})"
#: The first and the last time of the letters that rows of the sums count: a look at the index for each.
TIMES = f"min({_TIME % 'min'}), max({_TIME % 'max'})"
_COLUMNS = (
    *("partition", "place", "stamp", "key", "is_ended", "is_old", "id", "time", "queue", "actor", "reason"),
    *("exception", "kind", "error", "attempts", "replays"),
)
#: Puts a letter in, or in the place of the one with its key.
PUT = (
    f"INSERT INTO letters ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))}) "
    f"ON CONFLICT DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _COLUMNS)}"
)
#: Selects what a list shows of letters; and the names of their exceptions and kinds.
LISTED = (
    "SELECT number, partition, place, id, time, (SELECT text FROM texts t WHERE t.number = queue), "
    "(SELECT text FROM texts t WHERE t.number = actor), (SELECT text FROM texts t WHERE t.number = reason), "
    "(SELECT text FROM texts t WHERE t.number = exception), error, attempts, replays FROM letters"
)
NAMES = (
    "(SELECT text FROM texts t WHERE t.number = exception), (SELECT text FROM texts t WHERE t.number = kind)"
)


def empty_database() -> sqlite3.Connection:
    """A private database, for any thread; it is gone when it is closed."""
    database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
    database.executescript(_SCHEMA)
    return database
