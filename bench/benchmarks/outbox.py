"""The outbox: how fast a relay drains it, and how much later than a bare publish a commit is in Kafka."""

from __future__ import annotations

from functools import partial

from ..isolation import isolated
from ..kit import Kit
from ..model import Benchmark, Contestant, Readings, at_least, at_most, reading


def _drain(kit: Kit, database: str) -> Readings:
    found: Readings = isolated(
        "bench.systems.publishing.outbox:drain",
        address=kit.kafka,
        namespace=kit.namespace(),
        database=database,
        rows=kit.amount(50_000, 5_000),
    )
    return found


def _delay(kit: Kit, database: str) -> Readings:
    found: Readings = isolated(
        "bench.systems.publishing.outbox:delay",
        address=kit.kafka,
        namespace=kit.namespace(),
        database=database,
        commits=kit.amount(500, 100),
    )
    return found


BENCHMARK = Benchmark(
    name="outbox",
    title="The outbox: rows drained, and from a commit to Kafka compared with a bare publish, in turns",
    contestants=(
        Contestant("drain-sqlite", partial(_drain, database="sqlite")),
        Contestant("drain-postgresql", partial(_drain, database="postgresql")),
        Contestant("delay-sqlite", partial(_delay, database="sqlite")),
        Contestant("delay-postgresql", partial(_delay, database="postgresql")),
    ),
    units={
        "per_s": "rows/s",
        "cpu_ms": "ms/row",
        "commit_ms": "ms",
        "commit_p99_ms": "ms",
        "publish_ms": "ms",
        "publish_p99_ms": "ms",
        "later_ms": "ms",
        "later_p99_ms": "ms",
    },
    derived=(
        reading("sqlite", "rows/s", "drain-sqlite.per_s", at_least(10_000)),
        reading("postgresql", "rows/s", "drain-postgresql.per_s", at_least(10_000)),
        reading("later-sqlite", "ms", "delay-sqlite.later_p99_ms", at_most(20)),
        reading("later-postgresql", "ms", "delay-postgresql.later_p99_ms", at_most(20)),
    ),
)
