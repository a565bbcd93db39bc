"""A background worker pool on Kafka: a dramatiq broker with acks per message and dead letters."""

from __future__ import annotations

from .broker.kafka_broker import KafkaBroker
from .errors import WorkersError
from .kafka import Cluster
from .middleware.retries import Retries

__all__ = ["Cluster", "KafkaBroker", "Retries", "WorkersError"]
