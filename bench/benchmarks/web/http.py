"""Publishing over HTTP: rate and cost of one `todo-workers web`, beside `publish_async`."""

from __future__ import annotations

from ...isolation import isolated
from ...kit import Kit
from ...model import Benchmark, Contestant, Derived, Readings, at_least, at_most, ratio, reading


def _posted(kit: Kit, function: str, **where: str) -> Readings:
    count = kit.amount(20_000, 2_000)
    readings: Readings = isolated(f"bench.systems.publishing.over_http:{function}", count=count, **where)
    return readings


def _fast(kit: Kit) -> Readings:
    return _posted(kit, "as_fast_as_it_goes", address=kit.kafka, namespace=kit.namespace())


def _floor(kit: Kit) -> Readings:
    return _posted(kit, "floor")


def _written(kit: Kit) -> Readings:
    return _posted(kit, "written", address=kit.kafka, namespace=kit.namespace())


def _at_rate(kit: Kit) -> Readings:
    readings: Readings = isolated(
        "bench.systems.publishing.over_http:at_rate",
        address=kit.kafka,
        namespace=kit.namespace(),
        per_s=500,
        seconds=kit.amount(10, 2),
    )
    return readings


def _bare(kit: Kit) -> Readings:
    readings: Readings = isolated(
        "bench.systems.publishing.in_process:at_rate",
        address=kit.kafka,
        namespace=kit.namespace(),
        per_s=500,
        seconds=kit.amount(10, 2),
    )
    return readings


BENCHMARK = Benchmark(
    name="http",
    title="POST /events of one process, also 500 times a second; beside bare routes and publish_async()",
    contestants=(
        Contestant("fast", _fast),
        Contestant("floor", _floor),
        Contestant("written", _written),
        Contestant("rate", _at_rate),
        Contestant("bare", _bare),
    ),
    units={"per_s": "events/s", "publish_ms": "ms", "publish_p99_ms": "ms", "cpu_ms": "ms/event"},
    derived=(
        reading("fast", "events/s", "fast.per_s", at_least(2_500)),
        reading("cpu-ms", "ms/event", "fast.cpu_ms", at_most(0.4)),
        ratio("over-floor", "fast.cpu_ms", "floor.cpu_ms"),
        ratio("over-written", "fast.cpu_ms", "written.cpu_ms"),
        Derived(
            "over-bare-p99",
            "ms",
            lambda readings: readings["rate.publish_p99_ms"] - readings["bare.publish_p99_ms"],
            at_most(10),
        ),
    ),
)
