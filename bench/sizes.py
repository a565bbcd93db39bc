"""How much is measured. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: Worker threads of every pool.
THREADS = 8


@dataclass(frozen=True, slots=True)
class Sizes:
    """Numbers of jobs are chosen so that each pool works for a few seconds, as their rates differ widely."""

    rounds: int
    #: No-op jobs for each pool.
    jobs: Mapping[str, int]
    #: Pools that no goal speaks of run in so many rounds.
    rounds_without_goal: int
    sends: int
    latencies: int
    naps: int
    backlog: int
    #: Phases of the rebalance, each so long: one worker alone, two, one again.
    phase_s: float


FULL = Sizes(
    rounds=3,
    jobs={
        "kafka": 100_000,
        "stub": 100_000,
        "redis": 20_000,
        "celery-redis": 5_000,
        "celery-kafka": 300,
        "taskiq-kafka": 5_000,
    },
    rounds_without_goal=3,
    sends=2_000,
    latencies=1_000,
    naps=10_000,
    backlog=1_000_000,
    phase_s=5.0,
)

QUICK = Sizes(
    rounds=2,
    jobs={
        "kafka": 30_000,
        "stub": 30_000,
        "redis": 4_000,
        "celery-redis": 1_000,
        "celery-kafka": 100,
        "taskiq-kafka": 1_000,
    },
    rounds_without_goal=1,
    sends=300,
    latencies=200,
    naps=10_000,
    backlog=60_000,
    phase_s=1.0,
)
