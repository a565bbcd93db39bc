"""A background worker pool on Kafka: a dramatiq broker with acks per message and dead letters.

The packages, from the top; each imports only from those below it:

- ``cli``: the commands; ``operations``: what they and a dashboard ask of a cluster, as values
- ``broker``: declares, enqueues and consumes, as dramatiq asks; ``middleware``: what a broker always has
- ``consumer``: runs a queue's jobs; ``delays``: the tiers of delayed jobs and the mover that empties them
- ``controls``: what operators decide, such as that a queue is paused; ``fleet``: the processes that run
- ``dead_letters``: jobs that were given up; writing, finding, replaying and resolving them
- ``partitions``: acks in any order on a log that only counts; assignments, commits, trimming, lag
- ``kafka``: all use of kafka-python; ``records``: a job as a Kafka record; ``topics``: names and specs
- ``local_kafka``: a Kafka on this machine; ``runtime``: a process's logs, health file and threads
- ``errors``: every error; ``display``: how errors, times and progress are shown to people
- ``application``: whose queues a command is about; ``from_settings``: settings to a broker

A name here is imported when it is first asked for: `todo-workers --help` needs no kafka-python and no
dramatiq.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .broker.kafka_broker import KafkaBroker
    from .errors import WorkersError
    from .kafka import Cluster
    from .middleware.retries import Retries

__all__ = ["Cluster", "KafkaBroker", "Retries", "WorkersError"]

_MODULES = {
    "Cluster": ".kafka",
    "KafkaBroker": ".broker.kafka_broker",
    "Retries": ".middleware.retries",
    "WorkersError": ".errors",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name], __name__), name)
