"""Latencies on an idle broker, in turns with those of bare kafka-python."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import dramatiq
from kafka import KafkaConsumer, KafkaProducer

from workers import Cluster
from workers.kafka import create_missing_topics
from workers.records import envelope
from workers.topics import TopicSpec

from .dramatiq_common import ARGUMENTS, noop_actor, worker
from .dramatiq_kafka import broker_at
from .meter import Meter

#: How many trips of one kind come before as many of the other.
_TURN = 25
#: Pause between two trips, in which the broker is idle.
_PAUSE_S = 0.002
#: Trips that are not counted, while the clients warm up.
_WARM_UP = 25

#: Does something once and returns the seconds it took.
Trip = Callable[[], float]


def awaited_sends(address: str, namespace: str, samples: int) -> dict[str, float]:
    """Measure an actor's ``send()``, and a bare awaited send of the same key and value, in ms."""
    actor = noop_actor(broker_at(address, namespace), Meter(1))
    record = envelope.encode(actor.message(*ARGUMENTS))
    topic = _bare_topic(address, namespace)
    producer = KafkaProducer(bootstrap_servers=address, acks="all")

    def bare() -> None:
        producer.send(topic, record.value, key=record.key).get(timeout=10)

    return _in_turns({"send": _timed(lambda: actor.send(*ARGUMENTS)), "bare": _timed(bare)}, samples)


def end_to_end(address: str, namespace: str, samples: int) -> dict[str, float]:
    """Measure ``send()`` to the job's start, and a bare awaited send to the poll that returns it, in ms."""
    arrivals, broker = _Arrivals(), broker_at(address, namespace)

    @dramatiq.actor(broker=broker, queue_name="arrivals")
    def arrive(*_: Any) -> None:
        arrivals.note()

    with worker(broker):
        job = arrivals.trip(lambda: arrive.send(*ARGUMENTS))
        return _in_turns({"job": job, "bare": _bare_trip(address, _bare_topic(address, namespace))}, samples)


def _bare_topic(address: str, namespace: str) -> str:
    topic = f"{namespace}.bare"
    create_missing_topics(Cluster((address,)), [TopicSpec(topic, 8, None, {})])
    return topic


def _bare_trip(address: str, topic: str) -> Trip:
    arrivals = _Arrivals()
    record = envelope.encode(dramatiq.Message(topic, "arrive", ARGUMENTS, {}, {}))
    producer = KafkaProducer(bootstrap_servers=address, acks="all")
    consumer = KafkaConsumer(topic, bootstrap_servers=address, auto_offset_reset="earliest")

    def listen() -> None:
        while True:
            if consumer.poll(timeout_ms=1_000):
                arrivals.note()

    threading.Thread(target=listen, daemon=True).start()
    return arrivals.trip(lambda: producer.send(topic, record.value, key=record.key).get(timeout=10))


class _Arrivals:
    """Lets a thread wait until something that it sent has arrived at another thread."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._at = 0.0

    def note(self) -> None:
        self._at = time.perf_counter()
        self._event.set()

    def trip(self, send: Callable[[], Any]) -> Trip:
        def once() -> float:
            began = time.perf_counter()
            send()
            if not self._event.wait(30):
                raise TimeoutError("what was sent did not arrive within 30 s")
            self._event.clear()
            return self._at - began

        return once


def _timed(call: Callable[[], Any]) -> Trip:
    def once() -> float:
        began = time.perf_counter()
        call()
        return time.perf_counter() - began

    return once


def _in_turns(trips: Mapping[str, Trip], samples: int) -> dict[str, float]:
    """Median and 99th percentile of each, in ms."""
    seconds: dict[str, list[float]] = {name: [] for name in trips}
    for trip in trips.values():
        _repeat(trip, _WARM_UP)
    for _ in range(0, samples, _TURN):
        for name, trip in trips.items():
            seconds[name] += _repeat(trip, _TURN)
    found = {}
    for name, values in seconds.items():
        found[f"{name}_ms"] = statistics.median(values) * 1000
        found[f"{name}_p99_ms"] = statistics.quantiles(values, n=100)[98] * 1000
    return found


def _repeat(trip: Trip, times: int) -> list[float]:
    seconds = []
    for _ in range(times):
        seconds.append(trip())
        time.sleep(_PAUSE_S)
    return seconds
