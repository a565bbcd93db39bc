"""A listener whose database is away says so in a line."""

from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock

import psycopg
import pytest
from sqlalchemy import create_engine

from tests.helpers.waiting import wait_for
from workers.outbox.changes import Listener, Wake

#: What a listener begins each of its lines with.
NOT_NOTIFIED = "outbox.not_notified, rows are looked for each second; listening again in 5 s"


def line_of(engine: Any, caplog: pytest.LogCaptureFixture) -> str:
    """What a listener on that database logs first."""
    listener = Listener(engine, Wake())
    listener.start()
    try:
        wait_for(lambda: caplog.records)
    finally:
        listener.stop()
        listener.join(10)
    (record,) = caplog.records
    assert (record.levelname, record.exc_info) == ("WARNING", None)
    return record.getMessage()


def test_a_database_that_refuses_is_a_line(caplog: pytest.LogCaptureFixture, nowhere: str) -> None:
    line = line_of(create_engine(f"postgresql+psycopg://todo:secret@{nowhere}/todo"), caplog)
    assert line.startswith(f"{NOT_NOTIFIED}: The outbox in postgresql+psycopg://todo:***@{nowhere}/todo")
    assert "onnection refused" in line


def test_a_connection_that_is_lost_is_a_line(caplog: pytest.LogCaptureFixture) -> None:
    engine = MagicMock()
    engine.url.set().render_as_string.return_value = "postgresql://db/todo"
    engine.dialect.loaded_dbapi = psycopg
    connection = engine.connect().execution_options().__enter__()
    connection.connection.driver_connection.notifies.side_effect = psycopg.OperationalError("it is lost")
    engine.connect().execution_options().__exit__.return_value = False
    line = line_of(engine, caplog)
    assert line == f"{NOT_NOTIFIED}: The outbox in postgresql://db/todo cannot be used: it is lost"
