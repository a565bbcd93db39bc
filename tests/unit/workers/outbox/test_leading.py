"""The lock of SQLite: looks leave no trace and see no other look."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine

from workers.outbox.errors import OutboxUnavailable
from workers.outbox.leading import FileLock, has_leader, lead_of


def sqlite(folder: Path) -> Engine:
    return create_engine(f"sqlite:///{folder}/todo.db")


def test_a_look_makes_no_file(tmp_path: Path) -> None:
    assert not has_leader(sqlite(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_look_sees_the_one_that_leads(tmp_path: Path) -> None:
    engine = sqlite(tmp_path)
    with lead_of(engine) as lead:
        assert lead.take()
        assert lead.take()
        assert has_leader(engine)
        assert not FileLock(tmp_path / "todo.db-outbox.lock").take()
    assert not has_leader(engine)


def test_two_looks_at_once_see_nobody(tmp_path: Path) -> None:
    file = tmp_path / "todo.db-outbox.lock"
    file.touch()
    other = os.open(file, os.O_RDONLY)
    try:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert not has_leader(sqlite(tmp_path))
    finally:
        os.close(other)


def test_a_lock_that_cannot_be_opened_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    engine = sqlite(tmp_path / "file")
    with pytest.raises(
        OutboxUnavailable, match=r"lock .*todo\.db-outbox\.lock cannot be used: Not a directory"
    ):
        has_leader(engine)
    with lead_of(engine) as lead, pytest.raises(OutboxUnavailable, match="cannot be used: Not a directory"):
        lead.take()
