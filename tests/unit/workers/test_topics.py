"""Names of topics, and what they are created with."""

from __future__ import annotations

import pytest

from workers.errors import InvalidName
from workers.topics import Topics, dead_letters_spec, jobs_spec, log_config


def test_names_start_with_the_namespace() -> None:
    topics = Topics("todo")
    assert topics.jobs("notifications") == "todo.jobs.notifications"
    assert topics.dead_letters == "todo.dead-letters"
    assert topics.group("notifications") == "todo.workers.notifications"


@pytest.mark.parametrize("name", ["two words", "slash/ed", "ünicode"])
def test_a_queue_whose_name_kafka_would_refuse_is_refused(name: str) -> None:
    with pytest.raises(InvalidName, match="letters, digits"):
        Topics("todo").jobs(name)


def test_no_topic_is_made_up_for_a_queue_without_a_name() -> None:
    with pytest.raises(InvalidName, match="a queue needs a name"):
        Topics("todo").jobs("")


def test_a_name_may_have_249_bytes() -> None:
    room = 249 - len("todo.jobs.")
    assert len(Topics("todo").jobs("q" * room)) == 249
    with pytest.raises(InvalidName, match="250 bytes"):
        Topics("todo").jobs("q" * (room + 1))


def test_a_namespace_is_checked_at_once() -> None:
    with pytest.raises(InvalidName, match="my todo"):
        Topics("my todo")


def test_jobs_never_expire_and_dead_letters_are_compacted() -> None:
    jobs = jobs_spec(Topics("todo"), "audit", 8, None)
    assert (jobs.name, jobs.partitions, jobs.replication_factor) == ("todo.jobs.audit", 8, None)
    assert jobs.config["retention.ms"] == "-1"
    letters = dead_letters_spec(Topics("todo"), 8, 3)
    assert letters.config["cleanup.policy"] == "compact"
    assert int(letters.config["max.message.bytes"]) > int(jobs.config["max.message.bytes"])


def test_a_log_of_facts_expires_by_the_clock_of_the_cluster() -> None:
    """By a writer's stamp of 1970 a fact would be gone before a worker that was down has seen it."""
    assert log_config(1_000)["message.timestamp.type"] == "LogAppendTime"


@pytest.mark.parametrize(
    ("asked", "brokers", "copies", "in_two"),
    [(None, 1, None, False), (None, 2, None, False), (None, 3, 3, True), (2, 9, 2, False), (5, 5, 5, True)],
)
def test_three_brokers_mean_three_copies_of_which_two_must_have_a_record(
    asked: int | None, brokers: int, copies: int | None, in_two: bool
) -> None:
    made = jobs_spec(Topics("todo"), "audit", 8, asked).on(brokers)
    assert made.replication_factor == copies
    assert made.config.get("min.insync.replicas") == ("2" if in_two else None)
    assert made.config["retention.ms"] == "-1"
