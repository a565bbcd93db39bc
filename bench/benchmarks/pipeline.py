"""The chatbot's whole pipeline: from the event in the log to the delivered mail and the audit row."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..errors import NotMeasured
from ..isolation import isolated
from ..kit import Kit
from ..model import Benchmark, Contestant, Readings, at_least, at_most, ratio, reading

#: Events per minute that the pipeline must keep up with, whatever else the machine does.
_REQUIRED = 10_000
#: Events per minute at which each mail must be prompt.
_PROMPT = 20_000
#: The rates among which the highest is searched.
_RATES = range(4_000, 36_000, 2_000)
#: A worker keeps up with a rate if the 99th percentile is at most this: if it falls behind, that only grows.
_KEPT_UP_MS = 1_000
#: A rate is prompt if a mail is at the server within this time, at the 99th percentile.
_PROMPT_MS = 200


def _highest(kit: Kit) -> Readings:
    """Halve the rates that are possible until one is left."""
    low, high = -1, len(_RATES)
    best: Readings | None = None
    while high - low > 1:
        middle = (low + high) // 2
        found = _at(kit, _RATES[middle], seconds=20)
        if _kept_up(found):
            low, best = middle, found
        else:
            high = middle
    if best is None:
        raise NotMeasured(f"not even {_RATES[0]:,} events per minute were kept up with")
    return best


def _kept_up(found: Readings) -> bool:
    late_ms = max(found["publish_p99_ms"], found["row_p99_ms"], found["mail_p99_ms"])
    return late_ms <= _KEPT_UP_MS and not found["lost"] and not found["repeated"]


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
        events=kit.amount(6_000, 1_000),
        processes=processes,
        database=database,
    )
    return readings


def _floor(kit: Kit) -> Readings:
    readings: Readings = isolated(
        "bench.systems.pipeline.run:floor",
        address=kit.kafka,
        namespace=kit.namespace(),
        events=kit.amount(4_000, 1_000),
    )
    return readings


def _for(full_s: int, per_minute: int, *, busy: bool = False) -> Callable[[Kit], Readings]:
    """At this rate for ``full_s`` seconds, or for 5 with --quick."""
    return lambda kit: _at(kit, per_minute, kit.amount(full_s, 5), busy=busy)


_UNITS = {
    "per_minute": "events",
    "worker_cpu_ms": "ms/event",
    "sink_cpu_ms": "ms/event",
    "sender_cpu_ms": "ms/event",
    **{
        f"{what}_{which}": "ms"
        for what in ("publish", "mail", "row")
        for which in ("ms", "p99_ms", "worst_ms")
    },
    "lost": "",
    "repeated": "",
}

BENCHMARK = Benchmark(
    name="pipeline",
    title="From an event to its mail and audit row: a log full of events, done as fast as it goes;\n"
    "10,000 a minute, also beside busy processors; 20,000 a minute; worker processes of 8 threads",
    contestants=(
        Contestant("floor", _floor),
        Contestant("saturated", _saturated),
        Contestant("postgresql", partial(_saturated, database="postgresql")),
        Contestant("two-processes", partial(_saturated, processes=2)),
        Contestant("required", _for(15, _REQUIRED)),
        Contestant("busy", _for(15, _REQUIRED, busy=True)),
        Contestant("prompt", _for(12, _PROMPT)),
    ),
    units=_UNITS,
    derived=(
        reading("worker-cpu-ms", "ms/event", "saturated.worker_cpu_ms", at_most(1.5)),
        ratio("cpu-over-floor", "saturated.worker_cpu_ms", "floor.worker_cpu_ms"),
        ratio("sink-cpu-over-worker", "saturated.sink_cpu_ms", "saturated.worker_cpu_ms", at_most(0.1)),
        ratio("sender-cpu-over-worker", "prompt.sender_cpu_ms", "prompt.worker_cpu_ms"),
        reading("saturated", "events/min", "saturated.per_minute", at_least(30_000)),
        reading("mail-p99", "ms", "required.mail_p99_ms", at_most(_PROMPT_MS)),
        reading("busy-mail-p99", "ms", "busy.mail_p99_ms", at_most(_KEPT_UP_MS)),
        reading("prompt-mail-p99", "ms", "prompt.mail_p99_ms", at_most(_PROMPT_MS)),
        reading("publish-p99", "ms", "required.publish_p99_ms", at_most(100)),
        *(
            reading(f"{what}-{name}", "", f"{name}.{what}", at_most(0))
            for name in ("saturated", "two-processes", "required", "busy", "prompt")
            for what in ("lost", "repeated")
        ),
    ),
    max_rounds=3,
    slow=True,
)

LONG = Benchmark(
    name="pipeline-long",
    title="10,000 events a minute for three minutes, and the highest rate that is kept up with for 20 s",
    contestants=(Contestant("required", _for(180, _REQUIRED)), Contestant("highest", _highest, slow=True)),
    units=_UNITS,
    derived=(
        reading("kept", "events/min", "required.per_minute", at_least(0.99 * _REQUIRED)),
        reading("publish-p99", "ms", "required.publish_p99_ms", at_most(100)),
        reading("mail-p99", "ms", "required.mail_p99_ms", at_most(5_000)),
        reading("row-p99", "ms", "required.row_p99_ms", at_most(5_000)),
        reading("lost", "mails+rows", "required.lost", at_most(0)),
        reading("repeated", "mails", "required.repeated", at_most(0)),
        reading("highest", "events/min", "highest.per_minute", at_least(0.99 * _REQUIRED)),
    ),
    max_rounds=1,
    slow=True,
)
