"""Wakes relays after a commit: in this process by a hook, in others by NOTIFY of PostgreSQL.

SQLite tells nobody; there, a relay asks whether the file has changed, see `leading`.
"""

from __future__ import annotations

import logging
import threading
import weakref
from typing import Any

from sqlalchemy import Engine, event, text
from sqlalchemy.orm import Session, SessionTransaction

from ..runtime.threads import RestartingThread
from .errors import database_errors
from .table import CHANNEL

logger = logging.getLogger(__name__)

#: Marks a session with an added row, in its dictionary.
_ADDED = "todo_workers.outbox.added"
#: How long a thread that listens takes to see that it is to stop.
_LISTEN_S = 0.5
#: Until it listens again after an error; rows are looked for each second meanwhile.
_AGAIN_S = 5.0


class Wake:
    """Wakes a relay. Any thread may call it."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._has_rows = True
        _all.add(self)

    def set(self) -> None:
        """Wake the relay, as records were answered or it is to stop."""
        if not self._event.is_set():  # asking costs less than setting
            self._event.set()

    def rows_may_have_come(self) -> None:
        """Wake the relay to look for rows."""
        self._has_rows = True
        self._event.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait until it is woken; False if nobody did so in time."""
        woken = self._event.wait(timeout_s)
        self._event.clear()
        return woken

    def take_rows(self) -> bool:
        """Whether rows may have come since this was last asked."""
        if not self._has_rows:
            return False
        self._has_rows = False
        return True


_all: weakref.WeakSet[Wake] = weakref.WeakSet()


def note_added(info: dict[Any, Any]) -> None:
    """Wake the relays of this process when the transaction of the session with that dictionary ends."""
    info[_ADDED] = True


def _wake_all(session: Session, transaction: SessionTransaction) -> None:
    # Also after a rollback: a look in vain costs little.
    if transaction.parent is None and session.info.pop(_ADDED, False):
        for wake in list(_all):
            wake.rows_may_have_come()


event.listen(Session, "after_transaction_end", _wake_all)


class Listener(RestartingThread):
    """Wakes a relay when PostgreSQL tells of a commit, from a thread with a connection of its own."""

    def __init__(self, engine: Engine, wake: Wake) -> None:
        self._engine = engine
        self._name = engine.url.set(query={}).render_as_string(hide_password=True)
        self._wake = wake
        super().__init__(
            "outbox-listener",
            self._listen,
            pause_s=_AGAIN_S,
            logger=logger,
            failure="outbox.not_notified, rows are looked for each second; listening again",
        )

    def _listen(self, stopping: threading.Event) -> None:
        with database_errors(self._name, self._engine.dialect.loaded_dbapi.Error):
            self._listen_until(stopping)

    def _listen_until(self, stopping: threading.Event) -> None:
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"LISTEN {CHANNEL}"))
            self._wake.rows_may_have_come()  # while nobody listened
            driver: Any = connection.connection.driver_connection
            while not stopping.is_set():
                for _ in driver.notifies(timeout=_LISTEN_S, stop_after=1):
                    self._wake.rows_may_have_come()
            connection.invalidate()  # one that listens is not for others
