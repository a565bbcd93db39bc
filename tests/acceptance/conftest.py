"""Fixtures for tests of the program as its users run it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.storage.database import Database


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    """A database with the schema, in the file todo.db of the test's folder."""
    database = Database(f"sqlite:///{tmp_path}/todo.db")
    database.upgrade()
    yield database
    database.dispose()
