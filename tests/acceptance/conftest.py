"""Fixtures for tests of the program as its users run it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.storage.database import Database
from workers import Cluster, KafkaBroker


@pytest.fixture
def queues() -> tuple[str, ...]:
    """The queues that `broker` has; a file whose tests want some has a fixture of its own."""
    return ()


@pytest.fixture
def broker(cluster: Cluster, namespace: str, queues: tuple[str, ...]) -> Iterator[KafkaBroker]:
    """Sends to programs, and looks at what they leave."""
    broker = KafkaBroker(cluster, namespace=namespace, partitions=4, commit_interval_ms=50)
    for queue in queues:
        broker.declare_queue(queue)
    yield broker
    broker.close()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    """A database with the schema, in the file todo.db of the test's folder."""
    database = Database(f"sqlite:///{tmp_path}/todo.db")
    database.upgrade()
    yield database
    database.dispose()
