"""The pool's own metrics besides those of `jobs` and `sends`.

Labels name a queue, an actor or a reason, never an id, a person or a key.
"""

from __future__ import annotations

from .metrics import Counter, Histogram

ENQUEUE_DURATION = Histogram(
    "workers_enqueue_duration_seconds", "Until Kafka confirmed a job that was sent alone.", ["queue"]
)
DELAYED_LATE = Histogram("workers_delayed_late_seconds", "How late delayed jobs got into their queue.")
DEAD_LETTERS = Counter(
    "workers_dead_letters_total", "Dead letters that were written.", ["queue", "actor", "reason"]
)
REBALANCES = Counter("workers_rebalances_total", "Rebalances that a consumer went through.", ["queue"])
REBALANCE_PAUSE = Histogram(
    "workers_rebalance_pause_seconds", "From the beginning of a rebalance to the new assignment.", ["queue"]
)
COMMIT_DURATION = Histogram("workers_commit_duration_seconds", "Until Kafka confirmed a commit.", ["queue"])
#: Kafka takes 4,096 characters.
COMMIT_METADATA = Histogram(
    "workers_commit_metadata_bytes",
    "Metadata of a partition in a commit; with 3,072 the partition's new jobs wait.",
    ["queue"],
    (64.0, 256.0, 1_024.0, 2_048.0, 3_072.0, 4_096.0),
)
