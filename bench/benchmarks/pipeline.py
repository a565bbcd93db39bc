"""The chatbot's whole pipeline: from ``tasks.publish()`` to the delivered mail and the audit row."""

from __future__ import annotations

from ..errors import NotMeasured
from ..isolation import isolated
from ..kit import Kit
from ..model import Benchmark, Contestant, Readings, at_least, at_most, reading

#: Events per minute that the pipeline must keep up with.
_REQUIRED = 10_000
#: The rates to search for the highest that is kept up with.
_RATES = range(2_000, 34_000, 1_000)
#: A rate is kept up with if the 99th percentile is at most this: who falls behind falls ever further.
_KEPT_UP_MS = 1_000


def _required(kit: Kit) -> Readings:
    return _at(kit, _REQUIRED, kit.amount(180, 5))


def _highest(kit: Kit) -> Readings:
    """Search for the highest rate that is kept up with, by halving."""
    low, high = -1, len(_RATES)
    best: Readings | None = None
    while high - low > 1:
        middle = (low + high) // 2
        found = _at(kit, _RATES[middle], kit.amount(60, 5))
        if _kept_up(found):
            low, best = middle, found
        else:
            high = middle
    if best is None:
        raise NotMeasured(f"not even {_RATES[0]:,} events per minute were kept up with")
    return best


def _kept_up(found: Readings) -> bool:
    late_ms = max(found[f"{what}_p99_ms"] for what in ("publish", "mail", "row"))
    return late_ms <= _KEPT_UP_MS and not found["lost"] and not found["repeated"]


def _at(kit: Kit, per_minute: int, seconds: int) -> Readings:
    readings: Readings = isolated(
        "bench.systems.pipeline:run",
        address=kit.kafka,
        namespace=kit.namespace(),
        per_minute=per_minute,
        seconds=seconds,
    )
    return readings


BENCHMARK = Benchmark(
    name="pipeline",
    title="From publish() to mail and audit row: 10,000 events per minute for 3 minutes,\n"
    "and the most for one (5 s each with --quick); one worker process, 8 threads",
    contestants=(Contestant("required", _required), Contestant("highest", _highest, slow=True)),
    units={
        "per_minute": "events",
        **{
            f"{what}_{which}": "ms"
            for what in ("publish", "mail", "row")
            for which in ("ms", "p99_ms", "worst_ms")
        },
        "lost": "",
        "repeated": "",
        "worker_cpu": "%",
        "mail_server_cpu": "%",
        "publisher_cpu": "%",
    },
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
