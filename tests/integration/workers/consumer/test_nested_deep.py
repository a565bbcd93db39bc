"""Jobs that are nested about as deep as Python can read: each runs or becomes a dead letter."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import dramatiq
import pytest
from dramatiq import Worker
from typer.testing import CliRunner

from tests.helpers.kafka_reading import letters_of
from tests.helpers.waiting import wait_for
from workers import KafkaBroker, application
from workers.cli.dead_letters import commands
from workers.dead_letters.letter import DeadLetter, Reason
from workers.records.envelope import Record
from workers.records.sources import Incoming

StartWorker = Callable[[KafkaBroker], Worker]

#: Around the depths at which a message can no longer be shown, tried again, read.
DEPTHS = (100, 470, 490, 900, *range(940, 1_000, 4), 1_000, 1_100, 100_000)


def job_of(depth: int) -> bytes:
    fields = {"queue_name": "deep", "actor_name": "fail", "args": ["NESTED"], "kwargs": {}, "options": {}}
    text = json.dumps(fields | {"message_id": f"d-{depth}", "message_timestamp": 1})
    return text.replace('"NESTED"', "[" * depth + "]" * depth).encode()


def from_source(record: Incoming) -> dramatiq.Message[Any]:
    return dramatiq.Message("", "fail", (json.loads(record.value or b""),), {}, {}, "s-1", 1)


def run(*words: str) -> Any:
    return CliRunner().invoke(commands.app, list(words), catch_exceptions=False)


@pytest.mark.long
def test_each_becomes_a_dead_letter_that_can_be_looked_at_and_the_next_job_runs(
    broker: KafkaBroker, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    @dramatiq.actor(
        broker=broker, actor_name="fail", queue_name="deep", max_retries=1, min_backoff=1, max_backoff=2
    )
    def fail(_nested: Any) -> None:
        raise ValueError("no")

    @dramatiq.actor(broker=broker, actor_name="next", queue_name="deep")
    def go_on() -> None:
        ran.append("next")

    log, jobs = broker.topics.named("log"), broker.topics.jobs("deep")
    broker.add_source("deep", log, from_source)
    broker.prepare()
    for depth in DEPTHS:
        broker.producer.deliver(jobs, Record(b"k", job_of(depth), []))
        nested = b"[" * depth + b"]" * depth
        broker.producer.deliver(log, Record(b"k", nested, []))
    go_on.send()
    start_worker(broker)
    wait_for(lambda: ran)
    unreadable = sum(depth >= 1_000 for depth in DEPTHS)

    def all_letters() -> list[DeadLetter] | None:
        """All that there are to be. The jobs of the source that can be read have one, as they have one id."""
        found = letters_of(broker)
        others = Counter(letter.origin.topic for letter in found if letter.id != "s-1")
        is_whole = others[jobs] == len(DEPTHS) and others[log] >= unreadable
        return found if is_whole and "s-1" in {letter.id for letter in found} else None

    letters = wait_for(all_letters)
    by_id = {letter.id: letter for letter in letters}
    assert by_id["d-100"].attempts == 2
    assert by_id["d-100"].reason == by_id["d-980"].reason == Reason.FAILED
    undecodable = [letter for letter in letters if letter.reason is Reason.UNDECODABLE]
    assert len(undecodable) >= 2 * unreadable
    assert all("RecursionError" in letter.error for letter in undecodable)
    broker.join("deep", timeout=60_000)

    monkeypatch.setattr(application, "load_broker", lambda _app: broker)
    for letter in letters:
        assert run("show", letter.id).exit_code == 0
    shown = run("list", "--json", "--text", "no").stdout.splitlines()
    assert {json.loads(line)["id"] for line in shown} >= {"d-100", "d-900"}
    replayed = run("replay", "--all", "--yes", "--dry-run")
    assert replayed.exit_code == 0
