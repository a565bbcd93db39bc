"""The benchmarks, in the order in which they run; one module each."""

from __future__ import annotations

from . import (
    backlog,
    controls,
    delays,
    end_to_end,
    enqueue,
    idle,
    noop,
    outbox,
    pipeline,
    publish_async,
    send,
    short_jobs,
    start,
    traces,
)
from .web import dashboard, http, live

BENCHMARKS = (
    noop.BENCHMARK,
    enqueue.BENCHMARK,
    send.BENCHMARK,
    end_to_end.BENCHMARK,
    short_jobs.BENCHMARK,
    backlog.BENCHMARK,
    publish_async.BENCHMARK,
    start.BENCHMARK,
    pipeline.BENCHMARK,
    pipeline.LONG,
    http.BENCHMARK,
    live.BENCHMARK,
    live.CHURN,
    outbox.BENCHMARK,
    idle.BENCHMARK,
    delays.DUE_SOON,
    delays.WAITING,
    controls.PAUSE,
    controls.SWITCHES,
    traces.BENCHMARK,
    dashboard.BENCHMARK,
)
