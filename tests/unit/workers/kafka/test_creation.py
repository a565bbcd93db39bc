"""Topics that are made while a broker of the cluster is down keep as few copies as they got."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import pytest

from workers.kafka import Cluster, create_missing_topics
from workers.kafka.creation import topics as creation
from workers.topics import TopicSpec

Run = Callable[..., list[str]]


class FakeAdmin:
    """A cluster of so many brokers, whose default is so many copies."""

    def __init__(self, brokers: int, default: int) -> None:
        self._brokers = brokers
        self._default = default
        self._copies: dict[str, int] = {}

    def describe_cluster(self) -> dict[str, Any]:
        return {"brokers": [{"node_id": number} for number in range(self._brokers)]}

    def describe_topics(self, names: Sequence[str]) -> list[dict[str, Any]]:
        return [
            {
                "name": name,
                "error_code": 0 if name in self._copies else 3,
                "partitions": [{"replica_nodes": list(range(self._copies.get(name, 0)))}],
            }
            for name in names
        ]

    def create_topics(self, request: Mapping[str, Mapping[str, Any]], **_: object) -> dict[str, Any]:
        for name, topic in request.items():
            asked = topic["replication_factor"]
            self._copies[name] = self._default if asked == -1 else asked
        return {"topics": [{"name": name, "error_code": 0, "error_message": None} for name in request]}

    def wait_for_topics(self, *_: object, **__: object) -> None: ...


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(specs: Sequence[TopicSpec], *, brokers: int, default: int = 1) -> list[str]:
        admin = FakeAdmin(brokers, default)
        monkeypatch.setattr(creation, "connect_admin", lambda _: nullcontext(admin))
        return create_missing_topics(Cluster(("kafka:9092",)), specs)

    return run


JOBS = TopicSpec("todo.jobs.audit", 8, has_jobs=True)
LETTERS = TopicSpec("todo.dead-letters", 8)
FLEET = TopicSpec("todo.fleet", 1, is_optional=True)


def test_one_line_says_which_topics_got_one_copy_where_there_are_more_brokers(
    made: Run, caplog: pytest.LogCaptureFixture
) -> None:
    assert len(made([JOBS, LETTERS, FLEET], brokers=2)) == 3
    (line,) = caplog.messages
    assert line.startswith(
        "Kafka at kafka:9092 keeps fewer than 2 copies of todo.dead-letters, todo.jobs.audit, so one broker"
    )


@pytest.mark.parametrize(
    ("copies", "brokers", "default"), [(None, 1, 1), (None, 2, 2), (None, 3, 1), (1, 2, 2), (1, 3, 1)]
)
def test_enough_copies_or_those_that_were_asked_for_are_no_line(
    made: Run, caplog: pytest.LogCaptureFixture, copies: int | None, brokers: int, default: int
) -> None:
    made([TopicSpec("todo.jobs.audit", 8, copies, has_jobs=True)], brokers=brokers, default=default)
    assert not caplog.messages


def test_topics_of_no_job_and_no_event_may_have_one_copy(made: Run, caplog: pytest.LogCaptureFixture) -> None:
    made([FLEET], brokers=2)
    assert not caplog.messages
