"""What a relay writes while it leads: rows that nobody can understand stop no other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import Engine, MetaData, create_engine, insert, text

from tests.helpers.waiting import wait_for
from workers import Cluster
from workers.delays.tiers import TIERS
from workers.outbox.changes import Wake
from workers.outbox.leading import lead_of
from workers.outbox.outbox import Outbox
from workers.outbox.table import ROWS, outbox_table
from workers.outbox.writing import RelayCounts, Writing
from workers.records.envelope import Record
from workers.topics import Topics


class Confirms:
    """Stands in for a producer, and confirms each record at once."""

    def __init__(self) -> None:
        self.values: list[bytes | None] = []

    def prepare(self, topic: str) -> None: ...

    def send(self, topic: str, record: Record) -> Confirms:
        self.values.append(record.value)
        return self

    def chain(self, answer: Any) -> None:
        answer.success(None)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path}/todo.db")
    metadata = MetaData()
    outbox_table(metadata)
    metadata.create_all(engine)
    yield engine
    engine.dispose()


def add_row(engine: Engine, name: str, headers: str) -> None:
    row = {"topic": "events", "key": b"todo-1", "is_ordered": True, "value": name.encode(), "headers": []}
    with engine.begin() as connection:
        connection.execute(insert(ROWS).values(**row, name=name, about="todo.created", size=10, added_ms=0))
        connection.execute(
            text("UPDATE outbox SET headers = :headers WHERE name = :name"),
            {"headers": headers, "name": name},
        )


def relay(engine: Engine, producer: Confirms, *, published: int, set_aside: int = 0) -> None:
    """Relay until so many rows were published and set aside."""
    counts, wake, stopping = RelayCounts(), Wake(), threading.Event()
    target = SimpleNamespace(cluster=Cluster(("localhost:1",)), topics=Topics("todo"), delay_tiers=TIERS)
    with lead_of(engine) as lead:
        writing = Writing(cast(Any, target), cast(Any, producer), lead, wake, counts)
        thread = threading.Thread(target=writing.run, args=(stopping,), daemon=True)
        thread.start()
        try:
            wait_for(
                lambda: (
                    (counts.published, counts.set_aside) == (published, set_aside) or not thread.is_alive()
                )
            )
        finally:
            stopping.set()
            wake.set()
            thread.join(10)


@pytest.mark.parametrize(
    "headers",
    [
        '[["a", null]]',
        '[["a", 5]]',
        '[["a"]]',
        "5",
        "null",
        '[["a", {}]]',
        "[",
        '[["eta", "soon"]]',
        f'[["eta", "{10**16}"]]',
    ],
)
def test_a_row_that_nobody_can_understand_is_set_aside_and_stops_no_other(
    engine: Engine, headers: str
) -> None:
    add_row(engine, "strange", headers)
    add_row(engine, "later", "[]")
    producer = Confirms()
    relay(engine, producer, published=1, set_aside=1)
    assert producer.values == [b"later"]
    (row,) = Outbox(engine).rows(aside=True, limit=10)
    assert row["name"] == "strange"


def test_a_row_is_written_while_the_one_before_it_is_still_to_be_deleted(engine: Engine) -> None:
    add_row(engine, "first", "[]")
    add_row(engine, "second", "[]")
    waiting: list[int] = []

    class Looks(Confirms):
        def send(self, topic: str, record: Record) -> Confirms:
            waiting.append(Outbox(engine).status().waiting)
            return super().send(topic, record)

    producer = Looks()
    relay(engine, producer, published=2)
    assert producer.values == [b"first", b"second"]
    assert waiting == [2, 2]
    assert Outbox(engine).status().waiting == 0
