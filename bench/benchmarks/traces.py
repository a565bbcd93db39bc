"""What traces cost: no-op jobs, of which none, one in a hundred, and each is in a trace that is kept."""

from __future__ import annotations

from functools import partial

from ..isolation import rate
from ..kit import Kit
from ..model import Benchmark, Contestant, Readings, at_least, ratio

_SAMPLE = 0.01


def _traced(kit: Kit, share: float | None) -> Readings:
    jobs = kit.amount(150_000, 6_000)  # with fewer, the rates of one contestant differ by a fifth
    return rate("traces:noop_rate_traced", jobs, address=kit.kafka, namespace=kit.namespace(), share=share)


BENCHMARK = Benchmark(
    name="traces",
    title="No-op jobs without a provider of traces, with one that samples 1 %, and with one that keeps all",
    contestants=(
        Contestant("none", partial(_traced, share=None)),
        Contestant("sampled", partial(_traced, share=_SAMPLE)),
        Contestant("all", partial(_traced, share=1.0)),
    ),
    units={"jobs_per_s": "jobs/s"},
    derived=(
        ratio("sampled-to-none", "sampled.jobs_per_s", "none.jobs_per_s", at_least(0.9)),
        ratio("all-to-none", "all.jobs_per_s", "none.jobs_per_s"),
    ),
    slow=True,
)
