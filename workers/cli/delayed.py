"""`todo-workers delayed list`: the jobs that wait for their time."""

from __future__ import annotations

import heapq
import json
import time
from collections.abc import Iterable

from rich.table import Table

from ..application import load_broker
from ..delays import waiting_jobs
from ..delays.waiting_jobs import DelayedJob
from ..display.times import length_of_time, timestamp
from .terminal import console, visible


def show(app: str | None, *, queue: str | None, actor: str | None, limit: int, as_json: bool) -> None:
    """Print the delayed jobs that are due first; as JSON Lines if ``as_json``."""
    broker = load_broker(app)
    wanted = (
        job
        for job in waiting_jobs.read(broker.cluster, broker.topics, broker.delay_tiers)
        if queue in {None, job.queue} and actor in {None, job.actor}
    )
    total, first = _first(wanted, limit)
    if as_json:
        for job in first:
            print(json.dumps(_as_json(job)), flush=True)
        return
    console().print(_table(first))
    if total > len(first):
        console().print(f"{len(first)} of {total} delayed jobs, those due first; --limit shows more")


def _first(jobs: Iterable[DelayedJob], limit: int) -> tuple[int, list[DelayedJob]]:
    """How many there are, and the ``limit`` that are due first, in that order; no more is kept in memory."""
    total = 0

    def counted() -> Iterable[DelayedJob]:
        nonlocal total
        for total, job in enumerate(jobs, 1):  # noqa: B007
            yield job

    first = heapq.nsmallest(limit, counted(), key=lambda job: job.eta_ms)
    return total, first


def _as_json(job: DelayedJob) -> dict[str, object]:
    return {
        "message_id": job.message_id,
        "queue": job.queue,
        "actor": job.actor,
        "due": timestamp(job.eta_ms),
        "tier": job.tier,
    }


def _table(jobs: Iterable[DelayedJob]) -> Table:
    table = Table("due", "in", "queue", "actor", "id", "tier", box=None)
    now_s = time.time()
    for job in jobs:
        left_s = job.eta_ms / 1000 - now_s
        shown = length_of_time(left_s) if left_s >= 0 else f"late by {length_of_time(-left_s)}"
        due = timestamp(job.eta_ms)
        named = (job.queue, job.actor or "", job.message_id or "")
        table.add_row(due, shown, *map(visible, named), job.tier)
    return table
