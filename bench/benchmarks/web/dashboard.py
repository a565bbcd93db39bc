"""The dashboard with very many dead letters: pages, filters, changes, viewers, and a replay."""

from __future__ import annotations

from ...isolation import TIMEOUT_S, isolated_within
from ...kit import Kit
from ...model import Benchmark, Contestant, Readings, at_least, at_most, reading

_VIEWERS = 20
#: A million letters are written in two minutes and indexed in two more; beside other work it takes longer.
_LONG_S = 2_400


def _dashboard(kit: Kit) -> Readings:
    found: Readings = isolated_within(
        kit.amount(_LONG_S, int(TIMEOUT_S)),
        "bench.systems.dashboard.screens:dashboard",
        address=kit.kafka,
        namespace=kit.namespace(),
        letters=kit.amount(1_000_000, 50_000),
        replayed=kit.amount(100_000, 15_000),
        viewers=_VIEWERS,
        seconds=kit.amount(20, 8),
    )
    return found


BENCHMARK = Benchmark(
    name="dashboard",
    title=f"The dashboard with 1,000,000 dead letters (quick: 50,000) and {_VIEWERS} viewers",
    contestants=(Contestant("letters", _dashboard),),
    units={
        "overview_ms": "ms",
        "letters_ms": "ms",
        "index_s": "s",
        "memory_mb": "MB",
        "filter_ms": "ms",
        "change_ms": "ms",
        "viewers_cpu": "%",
        "idle_requests": "requests",
        "replay_per_s": "letters/s",
        "replay_look_s": "s",
    },
    derived=(
        reading("overview", "ms", "letters.overview_ms", at_most(1_000)),
        reading("newest", "ms", "letters.letters_ms", at_most(1_000)),
        reading("filter", "ms", "letters.filter_ms", at_most(300)),
        reading("memory", "MB", "letters.memory_mb", at_most(250)),
        reading("change", "ms", "letters.change_ms", at_most(1_000)),
        reading("viewers", "%", "letters.viewers_cpu", at_most(5)),
        reading("idle", "requests", "letters.idle_requests", at_most(0)),
        reading("replay", "letters/s", "letters.replay_per_s", at_least(5_000)),
    ),
    max_rounds=1,
    slow=True,
)
