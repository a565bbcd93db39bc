"""Publish an event with aiokafka: SERVERS and TOPIC in the environment, event.json in the folder."""

import asyncio
import os
from pathlib import Path

event = Path("event.json").read_bytes()
servers, topic = os.environ["SERVERS"], os.environ["TOPIC"]
# lines
from aiokafka import AIOKafkaProducer  # noqa: E402


async def publish() -> None:
    async with AIOKafkaProducer(bootstrap_servers=servers, acks="all") as producer:
        headers = [("content-type", b"application/cloudevents+json; charset=UTF-8")]
        await producer.send_and_wait(topic, event, key=b"todo-1", headers=headers)


asyncio.run(publish())
