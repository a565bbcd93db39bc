"""Time that a durable ``send()`` takes, compared with one of bare kafka-python."""

from __future__ import annotations

from ..isolation import isolated
from ..kit import Kit
from ..model import Benchmark, Contestant, Readings, at_most, ratio


def _measure(kit: Kit) -> Readings:
    readings: Readings = isolated(
        "bench.systems.latency:awaited_sends",
        address=kit.kafka,
        namespace=kit.namespace(),
        samples=kit.amount(2_000, 250),
    )
    return readings


BENCHMARK = Benchmark(
    name="send",
    title="An awaited send() on an idle broker",
    contestants=(Contestant("kafka", _measure),),
    units={"send_ms": "ms", "send_p99_ms": "ms", "bare_ms": "ms", "bare_p99_ms": "ms"},
    derived=(ratio("send-to-bare", "kafka.send_ms", "kafka.bare_ms", at_most(1.3)),),
)
