"""The benchmarks, in the order in which they run; one module each."""

from __future__ import annotations

from . import backlog, delays, end_to_end, enqueue, live, noop, pipeline, send, short_jobs

BENCHMARKS = (
    noop.BENCHMARK,
    enqueue.BENCHMARK,
    send.BENCHMARK,
    end_to_end.BENCHMARK,
    short_jobs.BENCHMARK,
    backlog.BENCHMARK,
    pipeline.BENCHMARK,
    live.BENCHMARK,
    delays.DUE_SOON,
    delays.WAITING,
)
