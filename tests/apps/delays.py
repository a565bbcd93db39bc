"""Delayed jobs with short tiers: what the mover's own process and its killers share."""

from __future__ import annotations

import os

import dramatiq

from workers import Cluster, KafkaBroker
from workers.delays.tiers import Tier

TIERS = (Tier("soon", 0), Tier("half", 500))

if "DELAYS_NAMESPACE" in os.environ:
    broker = KafkaBroker(
        Cluster(tuple(os.environ["DELAYS_BOOTSTRAP_SERVERS"].split(","))),
        namespace=os.environ["DELAYS_NAMESPACE"],
        partitions=2,
        commit_interval_ms=int(os.environ["DELAYS_COMMIT_INTERVAL_MS"]),
        delay_tiers=TIERS,
    )
    dramatiq.set_broker(broker)
    broker.declare_queue("default")
