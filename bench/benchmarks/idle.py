"""What a worker process costs while there is nothing to do."""

from __future__ import annotations

import tempfile
from functools import partial

from ..isolation import isolated
from ..kit import Kit
from ..model import Benchmark, Contestant, Readings, at_most, reading


def _chatbot(kit: Kit) -> Readings:
    with tempfile.TemporaryDirectory(prefix="bench-idle-") as folder:
        readings: Readings = isolated(
            "bench.systems.idle:chatbot",
            address=kit.kafka,
            namespace=kit.namespace(),
            database_url=f"sqlite:///{folder}/todo.db",
            seconds=_seconds(kit),
        )
        return readings


def _plain(kit: Kit, queues: int) -> Readings:
    readings: Readings = isolated(
        "bench.systems.idle:plain",
        address=kit.kafka,
        namespace=kit.namespace(),
        queues=queues,
        seconds=_seconds(kit),
    )
    return readings


def _seconds(kit: Kit) -> int:
    return kit.amount(30, 5)


BENCHMARK = Benchmark(
    name="idle",
    title="A worker process of 8 threads without work for 30 s (5 s with --quick)",
    contestants=(
        Contestant("chatbot", _chatbot),
        Contestant("queues-1", partial(_plain, queues=1)),
        Contestant("queues-5", partial(_plain, queues=5)),
        Contestant("queues-50", partial(_plain, queues=50)),
    ),
    units={"cpu_percent": "%", "memory_mb": "MB", "threads": "", "connections": ""},
    derived=(
        reading("chatbot-cpu", "%", "chatbot.cpu_percent", at_most(2)),
        reading("queues-50-cpu", "%", "queues-50.cpu_percent", at_most(2)),
    ),
    max_rounds=1,
    slow=True,
)
