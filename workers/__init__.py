"""A background worker pool on Kafka: a dramatiq broker with acks per message and dead letters.

Its parts, from the top; each imports only from lines below its own:

- ``cli``: the commands
- ``serving``: a worker's port, for probes and measures
- ``operations``: what commands and a dashboard ask of a cluster, as values
- ``application``: whose queues a command is about; ``from_settings``: a broker from the settings
- ``broker``: declares, enqueues and consumes, as dramatiq asks
- ``outbox``: jobs that are sent with a transaction of a database, and their relay
- ``middleware``: what a broker always has
- ``consumer``: runs a queue's jobs; ``delays``: the tiers of delayed jobs and the mover that empties them
- ``controls``: what operators decide, such as that a queue is paused
- ``fleet``: what the worker processes report
- ``dead_letters``: jobs that were given up; writing, finding, replaying and resolving them
- ``partitions``: acks in any order on a log that only counts; assignments, commits, trimming, lag
- ``stats``: the history of what the fleet did
- ``kafka``: all use of kafka-python
- ``records``: a job as a Kafka record
- ``rights``: what a user of Kafka needs for each role
- ``topics``: names and specs; ``local_kafka``: a Kafka on this machine; ``measures``: what a process counts
  and times of itself; ``runtime``: its logs, health file and threads
- ``traces``: spans of jobs
- ``errors``: every error; ``display``: how errors, times and progress are shown to people

A name here is imported when it is first asked for: `todo-workers --help` needs no kafka-python and no
dramatiq.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .broker.kafka_broker import KafkaBroker
    from .delays.tiers import Tier
    from .errors import WorkersError
    from .kafka import Cluster
    from .kafka.cluster import OAuth
    from .middleware.retries import Retries

__all__ = ["Cluster", "KafkaBroker", "OAuth", "Retries", "Tier", "WorkersError"]

_MODULES = {
    "Cluster": ".kafka",
    "KafkaBroker": ".broker.kafka_broker",
    "OAuth": ".kafka.cluster",
    "Retries": ".middleware.retries",
    "Tier": ".delays.tiers",
    "WorkersError": ".errors",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name], __name__), name)
