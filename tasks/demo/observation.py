"""Observes the workers from outside: the audit table, the dead-letter topic, the mail server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import create_engine, inspect, select

from tasks import broker
from workers.dead_letters.topic.letter_record import decode
from workers.kafka.topic_reader import TopicReader

from ..audit.trail import audit_trail
from .environment import database_url
from .mail_server import MailServer
from .progress import Effect
from .scenario import Kind


class Observer:
    """Yields each effect once. It connects when it is entered."""

    def __init__(self, database: Path, mail_server: MailServer) -> None:
        self._database = database
        self._mail_server = mail_server
        self._last_row = 0
        self._engine = create_engine(database_url(database))
        self._letters = TopicReader(broker.cluster, broker.topics.dead_letters)

    def __enter__(self) -> Self:
        self._letters.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._letters.close()
        self._engine.dispose()

    def effects(self) -> Iterator[Effect]:
        """Yield what came since the last call; waits a moment for dead letters."""
        yield from self._mail_server.taken()
        yield from self._rows()
        for record in self._letters.read(timeout_ms=15):
            if record.value is None:  # its end, by a replay
                continue
            letter = decode(record.value, record.headers)
            yield Effect(
                Kind.LETTER,
                mark=letter.message_id or (letter.job_key or b"").decode(errors="replace"),
                at=time.time(),
                says=letter.reason,
                detail=letter.exception_message or "",
                content=letter.value or b"",
            )

    def _rows(self) -> Iterator[Effect]:
        # SQLite makes the file when it is opened: the workers are to make it, with its table.
        if not self._database.exists() or not inspect(self._engine).has_table(audit_trail.name):
            return
        newer = (
            select(audit_trail)
            .where(audit_trail.c.sequence > self._last_row)
            .order_by(audit_trail.c.sequence)
        )
        with self._engine.connect() as connection:
            rows = connection.execute(newer).all()
        for row in rows:
            self._last_row = row.sequence
            yield Effect(Kind.ROW, row.event_id, time.time(), says=row.type, detail=f"#{row.sequence}")
