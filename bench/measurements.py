"""The measurements: each starts its processes and returns one round's figures, by name.

Ratios are taken within a round, where both sides met the same machine.
"""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from statistics import median, quantiles
from typing import Any

from .goals import Samples
from .pools import POOLS, Place
from .processes import Child, ChildFailed, result_of
from .rebalance import Delivery, delivery_figures
from .sizes import Sizes
from .tally import overall_rate, rates

#: What a process may take beside its work: to start, to connect, to join a group.
_SLACK_S = 45.0
#: A pool slower than this gives up.
_SLOWEST_PER_S = 15.0
_SLOWEST_KAFKA_PER_S = 3_000.0
#: Jobs a second while workers join and leave: the resolution of a gap is 2 ms.
_STREAM_PER_S = 500


@dataclass(slots=True)
class Run:
    """One call of `python -m bench`: its servers, its sizes, and what did not work so far."""

    kafka: str
    #: None where there is none; ``redis_error`` then says why.
    redis: str | None
    redis_error: str | None
    sizes: Sizes
    prefix: str
    round: int = 0
    #: By the name of a figure, or of a measurement.
    errors: dict[str, str] = field(default_factory=dict)

    def place(self) -> dict[str, str]:
        """A place that nothing has used before, as a process takes it."""
        return asdict(Place(self.kafka, self.redis or "", f"{self.prefix}{uuid.uuid4().hex[:8]}"))


Measurement = Callable[[Run], Samples]


def throughput(run: Run) -> Samples:
    """Each pool is filled, and drained by one worker with 8 threads; the order changes with the round."""
    samples: dict[str, float] = {}
    for pool in _pools_of(run):
        try:
            filled_per_s, drained_per_s = _fill_and_drain(run, pool)
        except ChildFailed as exc:
            run.errors[f"throughput_per_s.{pool}"] = run.errors[f"enqueue_per_s.{pool}"] = str(exc)
            continue
        samples[f"enqueue_per_s.{pool}"] = filled_per_s
        samples[f"throughput_per_s.{pool}"] = drained_per_s
    _compare(run, samples, "throughput_vs_stub", "throughput_per_s", "stub")
    _compare(run, samples, "throughput_vs_redis", "throughput_per_s", "redis")
    _compare(run, samples, "enqueue_vs_redis", "enqueue_per_s", "redis")
    return samples


def send(run: Run) -> Samples:
    times = result_of("send", _SLACK_S + run.sizes.sends * 0.02, place=run.place(), count=run.sizes.sends)
    return {
        "send_vs_bare": median(times["ours"]) / median(times["bare"]),
        "send_ms.kafka": median(times["ours"]) * 1000,
        "send_ms.bare": median(times["bare"]) * 1000,
        "send_p99_ms.kafka": _p99(times["ours"]) * 1000,
        "send_p99_ms.bare": _p99(times["bare"]) * 1000,
    }


def latency(run: Run) -> Samples:
    count = run.sizes.latencies
    times = result_of("latency", _SLACK_S + count * 0.1, place=run.place(), count=count)
    return {
        "latency_vs_bare": median(times["ours"]) / median(times["bare"]),
        "latency_ms.kafka": median(times["ours"]) * 1000,
        "latency_ms.bare": median(times["bare"]) * 1000,
        "latency_p99_ms.kafka": _p99(times["ours"]) * 1000,
        "latency_p99_ms.bare": _p99(times["bare"]) * 1000,
    }


def naps(run: Run) -> Samples:
    """The stub runs the same jobs, to show what dramatiq's worker and time.sleep take by themselves."""
    work: dict[str, Any] = {"place": run.place(), "count": run.sizes.naps}
    result_of("naps", _SLACK_S, pool="kafka", action="fill", **work)
    kafka = result_of("naps", _SLACK_S, pool="kafka", action="drain", **work)
    stub = result_of("naps", _SLACK_S, pool="stub", action="drain", **work)
    return {
        "naps_vs_ideal": kafka["took_s"] / kafka["ideal_s"],
        "naps_s.kafka": kafka["took_s"],
        "naps_s.stub": stub["took_s"],
        "naps_s.ideal": kafka["ideal_s"],
    }


def backlog(run: Run) -> Samples:
    count = run.sizes.backlog
    work: dict[str, Any] = {"pool": "kafka", "place": run.place(), "count": count}
    timeout_s = _SLACK_S + count / _SLOWEST_KAFKA_PER_S
    enqueue_per_s = result_of("fill", timeout_s, **work)["per_s"]
    with Child("drain", **work) as child:
        marks = child.event("done", timeout_s)["marks"]
    parts = rates(marks, count)
    return {
        "backlog_jobs_per_s": overall_rate(marks, count),
        "backlog_drift": abs(parts[-1] / parts[0] - 1) * 100,
        "backlog_first_tenth_per_s": parts[0],
        "backlog_last_tenth_per_s": parts[-1],
        "backlog_enqueue_per_s": enqueue_per_s,
        **memory_figures(child.memory, marks),
    }


def memory_figures(memory: list[tuple[float, float]], marks: list[float]) -> Samples:
    """Figures of the samples (time, MB) between the first mark and the last."""
    during = [(at, used) for at, used in memory if marks[0] <= at <= marks[-1]]
    half = marks[len(marks) // 2]
    first = [used for at, used in during if at < half]
    second = [used for at, used in during if at >= half]
    if not first or not second:
        raise ChildFailed("the backlog was gone before its memory was sampled; take a longer one")
    return {
        "backlog_memory_max": max(used for _, used in during),
        "backlog_memory_growth": max(second) / max(first),
        "backlog_memory_start_mb": during[0][1],
        "backlog_memory_end_mb": during[-1][1],
    }


def rebalance(run: Run) -> Samples:
    """A second worker joins one that is busy with a steady stream, and leaves again."""
    place = run.place()
    with Child("stream", place=place, rate_per_s=_STREAM_PER_S) as stream:
        stream.event("ready", _SLACK_S)
        with Child("member", place=place, is_last=True) as first:
            first.event("ready", _SLACK_S)
            busy = time.monotonic()
            time.sleep(run.sizes.phase_s)
            with Child("member", place=place, is_last=False) as second:
                second.event("ready", _SLACK_S)
                time.sleep(run.sizes.phase_s)
                leaving = time.monotonic()
                second.ask_to_stop()
                jobs = _deliveries(second)
            time.sleep(run.sizes.phase_s)
            stream.ask_to_stop()
            sent = stream.event("done", _SLACK_S)["count"]
            first.ask_to_stop()
            jobs += _deliveries(first)
    lost = sent - len({job.number for job in jobs})
    if lost:
        raise ChildFailed(f"{lost} of {sent} jobs never ran")
    return delivery_figures(jobs, busy, leaving)


MEASUREMENTS: Mapping[str, Measurement] = {
    "throughput": throughput,
    "send": send,
    "latency": latency,
    "naps": naps,
    "backlog": backlog,
    "rebalance": rebalance,
}


def _pools_of(run: Run) -> Iterator[str]:
    """The pools of this round, without those that have failed."""
    names = list(POOLS)
    turn = run.round % len(names)
    for name in names[turn:] + names[:turn]:
        has_goal = name in {"kafka", "stub", "redis"}
        if (
            has_goal or run.round < run.sizes.rounds_without_goal
        ) and f"throughput_per_s.{name}" not in run.errors:
            yield name


def _fill_and_drain(run: Run, pool: str) -> tuple[float, float]:
    if pool in {"redis", "celery-redis"} and run.redis is None:
        raise ChildFailed(run.redis_error or "no Redis")
    count = run.sizes.jobs[pool]
    work: dict[str, Any] = {"pool": pool, "place": run.place(), "count": count}
    slowest = _SLOWEST_KAFKA_PER_S if pool in {"kafka", "stub"} else _SLOWEST_PER_S
    timeout_s = _SLACK_S + count / slowest
    filled = {} if POOLS[pool].in_process else result_of("fill", timeout_s, **work)
    drained = result_of("drain", timeout_s, **work)
    return (filled or drained)["per_s"], overall_rate(drained["marks"], count)


def _compare(run: Run, samples: dict[str, float], name: str, figure: str, other: str) -> None:
    for pool in ("kafka", other):
        if f"{figure}.{pool}" not in samples:
            run.errors[name] = run.errors.get(f"{figure}.{pool}", "not measured")
            return
    samples[name] = samples[f"{figure}.kafka"] / samples[f"{figure}.{other}"]


def _deliveries(member: Child) -> list[Delivery]:
    return [Delivery(*job) for job in member.event("done", _SLACK_S)["jobs"]]


def _p99(times: list[float]) -> float:
    return quantiles(times, n=100)[-1]
