"""The chatbot's workers as an operator runs them, and its publisher in a process of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from tasks.events.models import Event
from tests.helpers.fleet import Fleet
from tests.helpers.programs import output_of, run_warm, todo_workers
from workers import KafkaBroker


class Chatbot(Fleet):
    """``dramatiq tasks``, on the broker's Kafka and namespace; ends with the ``with`` block."""

    def __init__(
        self,
        broker: KafkaBroker,
        folder: Path,
        *,
        database_url: str,
        smtp_port: int,
        processes: int = 1,
        threads: int = 8,
        options: Sequence[str] = (),
        **settings: str,
    ) -> None:
        super().__init__(broker, folder, processes=processes, threads=threads, app="tasks", options=options)
        self.env = os.environ | {
            "KAFKA_BOOTSTRAP_SERVERS": broker.cluster.address,
            "KAFKA_NAMESPACE": broker.topics.namespace,
            "KAFKA_PARTITIONS": "4",
            "DATABASE_URL": database_url,
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(smtp_port),
            **settings,
        }

    def publish(self, events: Sequence[Event]) -> None:
        """Publish from another process, all at once."""
        code = """if True:
            import asyncio, json, sys, tasks
            async def publish(events):
                await asyncio.gather(*map(tasks.publish_async, events))
            asyncio.run(publish(json.load(sys.stdin)))
        """
        data = json.dumps([event.model_dump(mode="json") for event in events])
        output_of(run_warm("-c", code, env=self.env, stdin=data, timeout_s=90))

    def command(self, *words: str) -> str:
        """Run ``todo-workers`` and return what it prints."""
        return output_of(todo_workers(*words, env=self.env, timeout_s=90))
