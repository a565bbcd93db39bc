"""Counts the delayed jobs that are due within a short time, without reading those that wait for longer.

Each tier's log is in the order in which its records leave it, and none leaves after its due time. So from
where the movers are, only the beginning of each partition has to be read.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

from ..errors import Undecodable
from ..kafka import (
    Cluster,
    KafkaConsumer,
    TopicPartition,
    connect_admin,
    connect_consumer,
    kafka_errors,
    patiently,
)
from ..partitions.lag import committed_by, read_partitions
from ..topics import Topics
from .delayed_record import delayed
from .tiers import Tier, release_ms

#: What is not read by then is not counted.
_TIMEOUT_S = 3.0
#: How far ahead Kafka's clock may be of this one.
_CLOCKS_MS = 2_000


def due_soon(
    cluster: Cluster, topics: Topics, tiers: Sequence[Tier], *, within_s: float, now_ms: int
) -> Counter[str]:
    """The delayed jobs of each queue that are due before ``within_s`` are over.

    Blocks for some seconds at most; what cannot be read by then is left out. A job that moves meanwhile may
    be missing or count twice. Raises KafkaUnreachable or NotAuthorized.
    """
    tier_of = {topics.delay(tier.name): tier for tier in tiers}
    with connect_admin(cluster) as admin:

        def look() -> dict[TopicPartition, tuple[int, int]]:
            found = read_partitions(admin, tier_of, committed_by(admin, topics.movers))
            return {name: (one.first_undone, one.end) for name, one in found.items() if one.not_done}

        places = patiently(cluster, "read the positions of the movers", look)
    counts: Counter[str] = Counter()
    if not places:
        return counts
    horizon_ms = now_ms + int(within_s * 1000)
    consumer = connect_consumer(cluster, None)
    try:
        with kafka_errors(cluster, "read delayed jobs"):
            _read(consumer, places, tier_of, horizon_ms, counts)
    finally:
        consumer.close()
    return counts


def _read(
    consumer: KafkaConsumer,
    places: dict[TopicPartition, tuple[int, int]],
    tier_of: dict[str, Tier],
    horizon_ms: int,
    counts: Counter[str],
) -> None:
    consumer.assign(list(places))
    for partition, (start, _) in places.items():
        consumer.seek(partition, start)
    open_ones = set(places)
    deadline = time.monotonic() + _TIMEOUT_S
    while open_ones and time.monotonic() < deadline:
        fetched = consumer.poll(timeout_ms=100)
        for partition, records in fetched.items():
            for record in records:
                try:
                    job = delayed(record)
                except Undecodable:
                    continue
                leaves_ms = release_ms(tier_of[partition.topic], record.timestamp, job.eta_ms)
                if leaves_ms > horizon_ms + _CLOCKS_MS and tier_of[partition.topic].wait_ms:
                    open_ones.discard(partition)
                    break
                counts[job.queue] += job.eta_ms <= horizon_ms
        for partition in list(open_ones):
            if consumer.position(partition) >= places[partition][1]:
                open_ones.discard(partition)
        consumer.pause(*(set(places) - open_ones))
