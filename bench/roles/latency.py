"""From a send to the start of its job, on an idle worker, beside the bare kafka-python's produce to poll.

One at a time and in turn, in one process that has a worker, a bare consumer and a producer for each.
"""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Callable

import dramatiq
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from bench.child import Channel
from bench.pools import Place
from bench.pools.on_dramatiq import QUEUE, kafka_broker
from bench.sizes import THREADS

_BARE_QUEUE = "bare"
_WARM_UP = 20
_TIMEOUT_S = 20.0
#: Pauses between two sends, so that everything is idle again.
_SHORTEST_S, _LONGEST_S = 0.002, 0.008
_SEED = 1

Arrivals = queue.SimpleQueue[float]


def run(channel: Channel, place: dict[str, str], count: int) -> None:
    """Report the times in seconds of ``count`` jobs, and of as many bare records."""
    there = Place(**place)
    broker = kafka_broker(there)
    started: Arrivals = queue.SimpleQueue()
    noop = dramatiq.actor(lambda: started.put(time.perf_counter()), actor_name="noop", broker=broker)
    broker.declare_queue(_BARE_QUEUE)  # makes its topic like the other one
    broker.prepare()
    worker = dramatiq.Worker(broker, queues={QUEUE}, worker_threads=THREADS)
    worker.start()

    topic, value = broker.topics.jobs(_BARE_QUEUE), noop.message().encode()
    polled: Arrivals = queue.SimpleQueue()
    over = threading.Event()
    poller = threading.Thread(target=_poll, args=(there.kafka, topic, polled, over))
    poller.start()
    producer = KafkaProducer(bootstrap_servers=there.kafka)

    def send_bare() -> None:
        producer.send(topic, value, key=noop.message().message_id.encode()).get()

    try:
        ours, bare = _in_turn(count, (noop.send, started), (send_bare, polled))
    finally:
        over.set()
        poller.join()
        producer.close()
        worker.stop()
        broker.close()
    channel.tell("done", ours=ours, bare=bare)


def _in_turn(count: int, *pairs: tuple[Callable[[], object], Arrivals]) -> list[list[float]]:
    rng = random.Random(_SEED)
    times: list[list[float]] = [[] for _ in pairs]
    for _ in range(count + _WARM_UP):
        for (send, arrivals), taken in zip(pairs, times, strict=True):
            time.sleep(rng.uniform(_SHORTEST_S, _LONGEST_S))
            start = time.perf_counter()
            send()
            taken.append(arrivals.get(timeout=_TIMEOUT_S) - start)
    return [taken[_WARM_UP:] for taken in times]


def _poll(address: str, topic: str, polled: Arrivals, over: threading.Event) -> None:
    # Metrics off, as in KafkaBroker: they cost time.
    with KafkaConsumer(
        bootstrap_servers=address, auto_offset_reset="earliest", group_id=None, metrics_enabled=False
    ) as consumer:
        consumer.assign([TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)])
        while not over.is_set():
            for records in consumer.poll(timeout_ms=500).values():
                now = time.perf_counter()
                for _ in records:
                    polled.put(now)
