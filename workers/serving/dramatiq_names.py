"""The figures of jobs under the names that dramatiq's own Prometheus middleware gives them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..measures.families import Family, Labels

_LABELS = ("queue_name", "actor_name")
#: Which outcomes each of dramatiq's counters adds up.
_COUNTERS = {
    "dramatiq_messages_total": (
        "The total number of messages processed.",
        ("done", "retried", "dead", "skipped"),
    ),
    "dramatiq_message_errors_total": ("The total number of errored messages.", ("retried", "dead")),
    "dramatiq_message_retries_total": ("The total number of retried messages.", ("retried",)),
    "dramatiq_message_rejects_total": ("The total number of dead-lettered messages.", ("dead",)),
}


def with_dramatiq_names(families: Sequence[Family]) -> list[Family]:
    """The families, and those of jobs again under dramatiq's names."""
    found = list(families)
    for family in families:
        if family.name == "workers_jobs_total":
            found += [_counter(name, *meaning, family) for name, meaning in _COUNTERS.items()]
        elif family.name == "workers_jobs_running":
            text = "The number of messages in progress."
            found.append(Family("dramatiq_messages_inprogress", "gauge", text, _LABELS, family.series))
        elif family.name == "workers_job_duration_seconds":
            found.append(_in_milliseconds(family))
    return found


def _counter(name: str, text: str, outcomes: Iterable[str], jobs: Family) -> Family:
    wanted = set(outcomes)
    series: dict[Labels, tuple[float]] = {}
    for (queue, actor, outcome), (count,) in jobs.series.items():
        before = series.get((queue, actor), (0.0,))[0]
        series[queue, actor] = (before + count * (outcome in wanted),)
    return Family(name, "counter", text, _LABELS, series)


def _in_milliseconds(family: Family) -> Family:
    return Family(
        "dramatiq_message_duration_milliseconds",
        "histogram",
        "The time spent processing messages.",
        _LABELS,
        {labels: (*numbers[:-1], numbers[-1] * 1000) for labels, numbers in family.series.items()},
        tuple(bound * 1000 for bound in family.bounds),
    )
