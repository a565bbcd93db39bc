"""What a stream's deliveries say about a rebalance. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import NamedTuple

from .goals import Samples


class Delivery(NamedTuple):
    """One job of the stream: when it was sent and when a worker started it, on the machine's one clock."""

    number: int
    sent: float
    started: float


def delivery_figures(jobs: Iterable[Delivery], busy: float, leaving: float) -> Samples:
    """Figures of the jobs sent since ``busy``; at ``leaving`` the second worker was told to leave.

    A gap is the time between two starts of any jobs in any worker. One job's wait is what those of a
    partition that changes hands feel, while the other partitions go on.
    """
    counted = [job for job in jobs if job.sent >= busy]
    starts = sorted(job.started for job in counted)
    gaps = [(end, end - start) for start, end in itertools.pairwise(starts)]
    joining = max(gap for end, gap in gaps if end < leaving)
    left = max(gap for end, gap in gaps if end >= leaving)
    return {
        "rebalance_gap": max(joining, left) * 1000,
        "rebalance_gap_join_ms": joining * 1000,
        "rebalance_gap_leave_ms": left * 1000,
        "rebalance_longest_wait_ms": max(job.started - job.sent for job in counted) * 1000,
        "rebalance_repeated_jobs": len(counted) - len({job.number for job in counted}),
    }
