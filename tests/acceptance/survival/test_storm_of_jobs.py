"""Storms: workers and Kafka itself come, go and die while jobs run; `make storm` is 100,000 jobs."""

from __future__ import annotations

import json
import os
import random
import signal
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import dramatiq
import psutil
import pytest

from tests.helpers.fleet import Fleet
from tests.helpers.kafka_reading import read_topic
from tests.helpers.programs import StartedProgram, start_todo_workers
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.delays import waiting_jobs as delayed_jobs
from workers.kafka import connect_producer
from workers.local_kafka.server import LocalKafka
from workers.partitions.lag import LagReader

JOBS = int(os.environ.get("STORM_JOBS", "3000"))
POISON = JOBS // 10
PAUSE_MS = 4
THREADS = 4
#: Generous for a machine that others use; the work itself is JOBS * PAUSE_MS / THREADS.
PATIENCE_S = 60 + JOBS / 200

pytestmark = [pytest.mark.long, pytest.mark.timeout(3 * PATIENCE_S)]


def send(broker: KafkaBroker, numbers: range) -> None:
    with broker.batch():
        for number in numbers:
            broker.enqueue(message(number))


def message(number: int) -> dramatiq.Message[None]:
    return dramatiq.Message("default", "note", (number, PAUSE_MS), {}, {})


def reach(fleet: Fleet, count: int) -> None:
    wait_for(lambda: fleet.numbers_file.exists() and _lines(fleet.numbers_file) >= count, PATIENCE_S)


def say(text: str) -> None:
    """For the reader of `make storm`."""
    print(text)  # noqa: T201


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n")


def repeats(numbers: Counter[int]) -> int:
    return sum(count - 1 for count in numbers.values())


def test_members_that_join_and_leave_and_restart_gracefully_repeat_nothing(
    broker: KafkaBroker, tmp_path: Path
) -> None:
    send(broker, range(JOBS))
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(Fleet(broker, tmp_path, threads=THREADS, name=name)) for name in "ab"
        )
        for step, fleet in enumerate((first, second, first), start=1):
            reach(fleet, JOBS * step // 6)
            fleet.wait_until_ready()
            assert fleet.stop() == 0
            fleet.start()
        with Fleet(broker, tmp_path, threads=THREADS, name="third") as third:
            third.wait_until_ready()
            reach(third, JOBS * 4 // 6)
            assert third.stop() == 0
        broker.join("default", timeout=int(PATIENCE_S * 1000))
        first.wait_until_ready()
        assert first.stop() == second.stop() == 0
        numbers = first.numbers()
    say(f"graceful storm: {JOBS} jobs, lost {JOBS - len(numbers)}, repeated {repeats(numbers)}")
    assert numbers == dict.fromkeys(range(JOBS), 1)


def test_workers_killed_at_random_lose_nothing(broker: KafkaBroker, tmp_path: Path) -> None:
    chance = random.Random(4)
    send(broker, range(JOBS))
    kills = max(2, JOBS // 5_000)
    with ExitStack() as stack:
        fleets = [stack.enter_context(Fleet(broker, tmp_path, threads=THREADS, name=name)) for name in "ab"]
        for kill in range(1, kills + 1):
            reach(fleets[0], JOBS * kill // (kills + 2))
            victim = chance.choice(fleets)
            victim.wait_until_ready()
            victim.kill_a_worker()
            victim.wait()
            victim.start()
        broker.join("default", timeout=int(PATIENCE_S * 1000))
        assert [fleet.stop() for fleet in fleets] == [0, 0]
        numbers = fleets[0].numbers()
    say(f"kill storm: {JOBS} jobs, {kills} kills, lost {JOBS - len(numbers)}, repeated {repeats(numbers)}")
    assert set(numbers) == set(range(JOBS))
    # What a killed process held, and what it did since its last commit; commits are 100 ms apart here, and a
    # busy machine may stretch that to a second.
    assert repeats(numbers) <= kills * THREADS * 1_000 / PAUSE_MS


def test_a_kafka_that_is_killed_and_comes_back_loses_nothing(namespace: str, tmp_path: Path) -> None:
    data = tmp_path / "kafka"
    with LocalKafka(data_dir=data) as kafka:
        port = int(kafka.bootstrap_servers.rpartition(":")[2])
        broker = KafkaBroker(Cluster((kafka.bootstrap_servers,)), namespace=namespace, partitions=4)
        broker.declare_queue("default")
        send(broker, range(JOBS))
        delayed = range(JOBS, JOBS + 300)
        with broker.batch():
            for number in delayed:
                broker.enqueue(message(number), delay=500 + 50 * (number - JOBS))
        with Fleet(broker, tmp_path, threads=THREADS) as fleet:
            reach(fleet, JOBS // 3)
            (server,) = psutil.Process(kafka.pid).children()
            server.kill()
            kafka.wait()
            kafka.stop()
            with LocalKafka(port=port, data_dir=data):
                broker.join("default", timeout=int(PATIENCE_S * 1000))
                assert fleet.stop() == 0
                numbers = fleet.numbers()
                broker.close()
    total = JOBS + len(delayed)
    say(f"Kafka killed: {total} jobs, lost {total - len(numbers)}, repeated {repeats(numbers)}")
    assert set(numbers) == set(range(total))


def test_movers_that_are_killed_between_produce_and_commit_lose_no_delayed_job(
    broker: KafkaBroker, tmp_path: Path
) -> None:
    jobs = min(JOBS, 10_000)
    with broker.batch():
        for number in range(jobs):
            broker.enqueue(message(number), delay=3_000 + 5_000 * number // jobs)

    def moved() -> int:
        with LagReader(broker.cluster, [broker.topics.jobs("default")], "none") as reader:
            return reader.written()

    def waiting() -> list[delayed_jobs.DelayedJob]:
        return list(delayed_jobs.read(broker.cluster, broker.topics, broker.delay_tiers))

    env = Fleet(broker, tmp_path).env

    def start() -> StartedProgram:
        mover = start_todo_workers("mover", "--app", "tests.apps.numbers", env=env)
        assert "moving" in mover.stdout.readline()
        return mover

    movers = [start() for _ in range(2)]
    try:
        for kill in range(2):
            wait_for(lambda share=kill + 1: moved() >= jobs * share // 4, timeout_s=60)  # type: ignore[misc]
            movers[kill].kill()
            movers.append(start())
        ids = wait_for(lambda: found if len(found := moved_ids(broker)) == jobs else None, timeout_s=60)
        # What a mover had moved and not committed when it was killed is moved again.
        wait_for(lambda: not waiting(), timeout_s=60)
        for mover in movers[2:]:
            mover.send_signal(signal.SIGTERM)
        assert [mover.wait(30) for mover in movers] == [-signal.SIGKILL, -signal.SIGKILL, 0, 0]
    finally:
        for mover in movers:
            mover.kill()
            mover.communicate()
    say(f"movers killed: {jobs} jobs, 2 kills, lost {jobs - len(ids)}, repeated {moved() - jobs}")
    assert waiting() == []
    # What was moved since the last commit, at this rate, some seconds late on a busy machine.
    assert moved() - jobs <= jobs


def moved_ids(broker: KafkaBroker) -> set[bytes]:
    return {record.key for record in read_topic(broker.cluster, broker.topics.jobs("default"))}


def test_poison_between_good_jobs_lands_in_the_dead_letters_and_stops_nothing(
    broker: KafkaBroker, tmp_path: Path
) -> None:
    chance = random.Random(2)
    broker.prepare()
    producer = connect_producer(broker.cluster)
    good = dramatiq.Message[None]("default", "note", (0, 0), {}, {})
    changes: list[dict[str, Any]] = [
        {"kwargs": []},
        {"args": None},
        {"options": {"eta": 9e300}},
        {"options": {"throws": "anything"}},
        {"actor_name": "no such actor"},
        {"actor_name": "\ud800"},
        {"actor_name": "\ud800", "message_id": "x" * 5_000},
    ]
    almost_good = [json.dumps(good.asdict() | changed).encode() for changed in changes]
    poison = []
    for number in range(POISON):
        mangled = bytearray(good.encode())
        at = chance.randrange(len(mangled))
        mangled[at : at + 8] = chance.randbytes(8)
        kinds = [chance.randbytes(50), bytes(mangled[: len(mangled) // 2]), b"", b"[" * 5_000]
        poison.append(chance.choice([*kinds, chance.choice(almost_good)]))
        producer.send(broker.topics.jobs("default"), poison[-1], key=str(number).encode())
        broker_message = dramatiq.Message[None]("default", "note", (number, 0), {}, {})
        producer.send(broker.topics.jobs("default"), broker_message.encode(), key=str(number).encode())
    producer.flush(60)
    producer.close()
    with Fleet(broker, tmp_path, threads=THREADS) as fleet:
        broker.join("default", timeout=int(PATIENCE_S * 1000))
        assert fleet.stop() == 0
        numbers = fleet.numbers()
        assert "Unhandled error" not in fleet.log()
    say(f"poison: {POISON} records between {POISON} jobs, lost {POISON - len(numbers)}")
    assert numbers == dict.fromkeys(range(POISON), 1)
    letters = read_topic(broker.cluster, broker.topics.dead_letters)
    assert Counter(record.value for record in letters) == Counter(poison)
