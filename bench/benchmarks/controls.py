"""How soon a pause is confirmed by a fleet that is at work, and what switches cost."""

from __future__ import annotations

from functools import partial

from ..isolation import isolated, rate
from ..kit import Kit
from ..model import Benchmark, Contestant, Readings, at_least, at_most, ratio, reading

_PROCESSES = 8
_JOBS_PER_S = 2_000
_SWITCHES = 100


def _pause(kit: Kit) -> Readings:
    found: dict[str, float] = isolated(
        "bench.systems.controls.pause:pause",
        address=kit.kafka,
        namespace=kit.namespace(),
        processes=_PROCESSES,
        jobs_per_s=_JOBS_PER_S,
        seconds=kit.amount(10, 3),
    )
    return found


def _switches(kit: Kit, count: int) -> Readings:
    jobs = kit.amount(30_000, 6_000)
    where = {"address": kit.kafka, "namespace": kit.namespace()}
    return rate("controls.switches:noop_rate_with", jobs, **where, switches=count)


PAUSE = Benchmark(
    name="pause",
    title=f"A queue is paused while {_PROCESSES} processes run {_JOBS_PER_S} jobs/s of it",
    contestants=(Contestant("fleet", _pause),),
    units={"jobs_per_s": "jobs/s", "confirmed_ms": "ms", "resumed_ms": "ms", "started_after": "jobs"},
    derived=(
        reading("confirmed-within", "ms", "fleet.confirmed_ms", at_most(1_000)),
        reading("started-after", "jobs", "fleet.started_after", at_most(0)),
    ),
    slow=True,
)

SWITCHES = Benchmark(
    name="switches",
    title=f"No-op jobs with {_SWITCHES} switches that match none of them, and with none",
    contestants=(
        Contestant("none", partial(_switches, count=0)),
        Contestant("hundred", partial(_switches, count=_SWITCHES)),
    ),
    units={"jobs_per_s": "jobs/s"},
    derived=(ratio("hundred-to-none", "hundred.jobs_per_s", "none.jobs_per_s", at_least(0.97)),),
    slow=True,
)
