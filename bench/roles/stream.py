"""Sends jobs at a steady rate until it is told to stop."""

from __future__ import annotations

import time

import dramatiq

from bench.child import Channel
from bench.pools import Place
from bench.pools.on_dramatiq import kafka_broker


def beat(number: int, sent: float) -> None:
    """Stands for the workers' job of this name."""


def run(channel: Channel, place: dict[str, str], rate_per_s: int) -> None:
    """Report how many jobs were sent. Each carries its number and the monotonic time of its sending."""
    broker = kafka_broker(Place(**place))
    job = dramatiq.actor(beat, broker=broker)
    broker.prepare()
    channel.tell("ready")
    number = 0
    due = time.monotonic()
    while not channel.stop.is_set():
        job.send(number, time.monotonic())
        number += 1
        due += 1 / rate_per_s
        time.sleep(max(0.0, due - time.monotonic()))
    broker.close()
    channel.tell("done", count=number)
