"""A real Apache Kafka on this machine, for tests, benchmarks and trying out."""

from __future__ import annotations

from .cluster import LocalCluster
from .server import LocalKafka

__all__ = ["LocalCluster", "LocalKafka"]
