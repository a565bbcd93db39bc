"""What may happen to a Kafka: frozen, killed and back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from workers.local_kafka import LocalKafka


def jvm(kafka: LocalKafka) -> psutil.Process:
    """The process of the broker itself, which is a child of the guard."""
    (process,) = psutil.Process(kafka.pid).children()
    return process


@contextmanager
def frozen(kafka: LocalKafka) -> Iterator[None]:
    """The broker answers nothing inside the block, as a machine that hangs; its connections stay open."""
    process = jvm(kafka)
    process.suspend()
    try:
        yield
    finally:
        process.resume()
