"""A background worker pool on Kafka: a dramatiq broker with acks per message and dead letters."""

from __future__ import annotations

from .broker import KafkaBroker
from .client import Cluster
from .errors import WorkersError
from .retries import Retries

__all__ = ["Cluster", "KafkaBroker", "Retries", "WorkersError"]
