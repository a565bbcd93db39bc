"""Publish an event with confluent-kafka: SERVERS and TOPIC in the environment, event.json in the folder."""

import os
from pathlib import Path

event = Path("event.json").read_bytes()
servers, topic = os.environ["SERVERS"], os.environ["TOPIC"]
# lines
from confluent_kafka import Producer  # noqa: E402

producer = Producer({"bootstrap.servers": servers, "acks": "all", "partitioner": "murmur2_random"})
headers = {"content-type": "application/cloudevents+json; charset=UTF-8"}
producer.produce(topic, event, key="todo-1", headers=headers)
producer.flush()
