"""An awaited send of KafkaBroker beside one of the bare kafka-python, in turn in one process."""

from __future__ import annotations

import time

import dramatiq
from kafka import KafkaProducer

from bench.child import Channel
from bench.pools import Place
from bench.pools.on_dramatiq import QUEUE, kafka_broker

_WARM_UP = 50


def run(channel: Channel, place: dict[str, str], count: int) -> None:
    """Report the times in seconds of ``count`` sends each."""
    there = Place(**place)
    broker = kafka_broker(there)
    noop = dramatiq.actor(lambda _number: None, actor_name="noop", broker=broker)
    broker.prepare()
    topic = broker.topics.jobs(QUEUE)
    # The same topic, key and bytes, and kafka-python's defaults: idempotent, acks from all.
    value = noop.message(0).encode()
    bare = KafkaProducer(bootstrap_servers=there.kafka)
    times: dict[str, list[float]] = {"ours": [], "bare": []}
    for number in range(count + _WARM_UP):
        message = noop.message(number)
        start = time.perf_counter()
        bare.send(topic, value, key=message.message_id.encode()).get()
        between = time.perf_counter()
        noop.send(number)
        end = time.perf_counter()
        times["bare"].append(between - start)
        times["ours"].append(end - between)
    bare.close()
    broker.close()
    channel.tell("done", ours=times["ours"][_WARM_UP:], bare=times["bare"][_WARM_UP:])
