"""The live bridge: many connections, one event to all, events to single users."""

from __future__ import annotations

from ...isolation import TIMEOUT_S, isolated, isolated_within
from ...kit import Kit
from ...model import Benchmark, Contestant, Derived, Readings, at_least, at_most, ratio, reading


def _bridge(kit: Kit) -> Readings:
    found: Readings = isolated(
        "bench.systems.live.load:bridge",
        address=kit.kafka,
        namespace=kit.namespace(),
        connections=kit.amount(10_000, 1_000),
        fan_outs=kit.amount(10, 5),
        singles_s=kit.amount(20, 5),
    )
    return found


def _bare(kit: Kit) -> Readings:
    found: Readings = isolated(
        "bench.systems.live.load:bare", connections=kit.amount(10_000, 1_000), fan_outs=kit.amount(10, 5)
    )
    return found


def _centrifugo(kit: Kit) -> Readings:
    found: Readings = isolated(
        "bench.systems.live.load:with_centrifugo",
        connections=kit.amount(10_000, 1_000),
        fan_outs=kit.amount(10, 5),
    )
    return found


def _killed(kit: Kit) -> Readings:
    found: Readings = isolated(
        "bench.systems.live.killed:killed",
        address=kit.kafka,
        namespace=kit.namespace(),
        connections=kit.amount(10_000, 1_000),
        missed=kit.amount(2_000, 200),
    )
    return found


def _offline(kit: Kit) -> Readings:
    found: Readings = isolated(
        "bench.systems.live.killed:offline",
        address=kit.kafka,
        namespace=kit.namespace(),
        connections=kit.amount(1_000, 200),
        users=kit.amount(10_000, 2_000),
        missed=kit.amount(600_000, 20_000),
    )
    return found


BENCHMARK = Benchmark(
    name="live",
    title="Live events, one process, 10,000 connections (quick: 1,000); beside plain uvicorn, and Centrifugo",
    contestants=(
        Contestant("bridge", _bridge),
        Contestant("killed", _killed),
        Contestant("offline", _offline),
        Contestant("bare", _bare),
        Contestant("centrifugo", _centrifugo),
    ),
    units={
        "connect_s": "s",
        "connection_kb": "KB",
        "idle_cpu": "%",
        "fan_out_ms": "ms",
        "fan_out_max_ms": "ms",
        "frame_cpu_us": "us",
        "single_ms": "ms",
        "single_p99_ms": "ms",
        "beside_slow_ms": "ms",
        "beside_slow_p99_ms": "ms",
        "slow_mb": "MB",
        "back_s": "s",
        "event_cpu_us": "us",
    },
    derived=(
        reading("connect", "s", "bridge.connect_s", at_most(12)),
        reading("idle", "%", "bridge.idle_cpu", at_most(5)),
        reading("to-all", "ms", "bridge.fan_out_max_ms", at_most(300)),
        reading("to-one", "ms", "bridge.single_ms", at_most(10)),
        reading("to-one-p99", "ms", "bridge.single_p99_ms", at_most(50)),
        # Unchanged, but for what two such readings differ by anyway.
        ratio("beside-slow", "bridge.beside_slow_p99_ms", "bridge.single_p99_ms", at_most(1.5)),
        reading("slow-mb", "MB", "bridge.slow_mb", at_most(30)),
        reading("killed-and-back", "s", "killed.back_s", at_most(25)),
        # 1,000 clients (quick: 200) after an hour: 600,000 events (quick: 20,000), a tenth of them theirs.
        reading("hour-offline-and-back", "s", "offline.back_s", at_most(5)),
        Derived("frames", "1/s", lambda readings: 1e6 / readings["bridge.frame_cpu_us"], at_least(40_000)),
        ratio("bridge-to-bare", "bridge.frame_cpu_us", "bare.frame_cpu_us"),
        ratio("bridge-to-centrifugo", "bridge.frame_cpu_us", "centrifugo.frame_cpu_us"),
    ),
    max_rounds=1,
)


def _churn(kit: Kit) -> Readings:
    minutes = kit.minutes or kit.amount(10, 1)
    found: Readings = isolated_within(
        60 * minutes + TIMEOUT_S,
        "bench.systems.live.churn:churn",
        address=kit.kafka,
        namespace=kit.namespace(),
        connections=kit.amount(10_000, 1_000),
        minutes=minutes,
    )
    return found


CHURN = Benchmark(
    name="live-churn",
    title="The bridge's memory while 5 % of 10,000 clients (quick: 1,000) come and go in a minute; --minutes",
    contestants=(Contestant("bridge", _churn),),
    units={"memory_mb": "MB", "swing": "%", "grown": "%"},
    derived=(reading("memory-flat", "%", "bridge.swing", at_most(5)),),
    max_rounds=1,
    slow=True,
)
