"""The chatbot's whole pipeline: from the event in the log to the delivered mail and the audit row."""

from __future__ import annotations

from functools import partial

from ..errors import NotMeasured
from ..isolation import isolated
from ..kit import Kit
from ..model import Benchmark, Contestant, Readings, at_least, at_most, ratio, reading

#: Events per minute that the pipeline must keep up with.
_REQUIRED = 10_000
#: The rates among which the highest is searched.
_RATES = range(2_000, 34_000, 1_000)
#: A worker keeps up with a rate if the 99th percentile is at most this: if it falls behind, that only grows.
_KEPT_UP_MS = 1_000
#: A rate is prompt if a mail is at the server within this time, at the 99th percentile.
_PROMPT_MS = 200


def _required(kit: Kit) -> Readings:
    return _at(kit, _REQUIRED, kit.amount(180, 5))


def _busy(kit: Kit) -> Readings:
    return _at(kit, _REQUIRED, kit.amount(60, 5), busy=True)


def _highest(kit: Kit, limit_ms: float) -> Readings:
    """Halve the rates that are possible until one is left."""
    low, high = -1, len(_RATES)
    best: Readings | None = None
    while high - low > 1:
        middle = (low + high) // 2
        found = _at(kit, _RATES[middle], kit.amount(60, 5))
        if _kept_up(found, limit_ms):
            low, best = middle, found
        else:
            high = middle
    if best is None:
        raise NotMeasured(f"not even {_RATES[0]:,} events per minute were kept up with")
    return best


def _kept_up(found: Readings, limit_ms: float) -> bool:
    late_ms = max(found["publish_p99_ms"], found["row_p99_ms"])
    in_time = late_ms <= _KEPT_UP_MS and found["mail_p99_ms"] <= limit_ms
    return in_time and not found["lost"] and not found["repeated"]


def _at(kit: Kit, per_minute: int, seconds: int, *, busy: bool = False) -> Readings:
    readings: Readings = isolated(
        "bench.systems.pipeline.run:run",
        address=kit.kafka,
        namespace=kit.namespace(),
        per_minute=per_minute,
        seconds=seconds,
        busy=busy,
    )
    return readings


def _saturated(kit: Kit, processes: int = 1, database: str = "sqlite") -> Readings:
    readings: Readings = isolated(
        "bench.systems.pipeline.run:saturated",
        address=kit.kafka,
        namespace=kit.namespace(),
        events=kit.amount(8_000, 1_000),
        processes=processes,
        database=database,
    )
    return readings


def _floor(kit: Kit) -> Readings:
    readings: Readings = isolated(
        "bench.systems.pipeline.run:floor",
        address=kit.kafka,
        namespace=kit.namespace(),
        events=kit.amount(8_000, 1_000),
    )
    return readings


BENCHMARK = Benchmark(
    name="pipeline",
    title="From an event to its mail and audit row: 10,000 a minute for 3 minutes, the most for one,\n"
    "a log full of them (5 s each, 1,000 events with --quick); worker processes of 8 threads",
    contestants=(
        Contestant("floor", _floor),
        Contestant("saturated", _saturated),
        Contestant("postgresql", partial(_saturated, database="postgresql")),
        Contestant("two-processes", partial(_saturated, processes=2)),
        Contestant("required", _required),
        Contestant("busy", _busy, slow=True),
        Contestant("prompt", partial(_highest, limit_ms=_PROMPT_MS), slow=True),
        Contestant("highest", partial(_highest, limit_ms=_KEPT_UP_MS), slow=True),
    ),
    units={
        "per_minute": "events",
        "worker_cpu_ms": "ms/event",
        **{
            f"{what}_{which}": "ms"
            for what in ("publish", "mail", "row")
            for which in ("ms", "p99_ms", "worst_ms")
        },
        "lost": "",
        "repeated": "",
    },
    derived=(
        reading("worker-cpu-ms", "ms/event", "saturated.worker_cpu_ms", at_most(1.5)),
        ratio("cpu-over-floor", "saturated.worker_cpu_ms", "floor.worker_cpu_ms"),
        reading("saturated", "events/min", "saturated.per_minute", at_least(30_000)),
        reading("kept", "events/min", "required.per_minute", at_least(0.99 * _REQUIRED)),
        reading("publish-p99", "ms", "required.publish_p99_ms", at_most(100)),
        reading("mail-p99", "ms", "required.mail_p99_ms", at_most(5_000)),
        reading("row-p99", "ms", "required.row_p99_ms", at_most(5_000)),
        reading("lost", "mails+rows", "required.lost", at_most(0)),
        reading("repeated", "mails", "required.repeated", at_most(0)),
        reading("busy-mail-p99", "ms", "busy.mail_p99_ms", at_most(5_000)),
        reading("prompt", "events/min", "prompt.per_minute", at_least(0.99 * 20_000)),
        reading("highest", "events/min", "highest.per_minute", at_least(0.99 * _REQUIRED)),
    ),
    max_rounds=3,
    slow=True,
)
