"""Which settings a cluster gives to no topic is found out by trying, and nothing of jobs is given up."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import nullcontext
from typing import Any

import pytest

from workers.cli.topics import table
from workers.kafka import Cluster, abilities
from workers.operations.topic_check import Checked, Found
from workers.topics import Topics, TopicSpec, dead_letters_spec, jobs_spec, stats_spec

CLUSTER = Cluster(("kafka:9092",))
INVALID_CONFIG, NOT_AUTHORIZED = 40, 29


class FakeAdmin:
    """A cluster of three brokers that refuses these settings, whatever else a topic has."""

    def __init__(self, refused: Collection[tuple[str, str]], *, may_create: bool = True) -> None:
        self._refused = frozenset(refused)
        self._may_create = may_create

    def describe_cluster(self) -> dict[str, Any]:
        return {"brokers": [{}, {}, {}]}

    def create_topics(
        self, request: Mapping[str, Mapping[str, Any]], *, validate_only: bool, raise_errors: bool
    ) -> dict[str, Any]:
        assert validate_only
        assert not raise_errors
        ((name, topic),) = request.items()
        code = INVALID_CONFIG if self._refused & topic["configs"].items() else 0
        return {"topics": [{"name": name, "error_code": code if self._may_create else NOT_AUTHORIZED}]}


def connect(monkeypatch: pytest.MonkeyPatch, admin: FakeAdmin) -> None:
    monkeypatch.setattr(abilities, "connect_admin", lambda _: nullcontext(admin))


TOPICS = Topics("todo")
SPECS = [
    jobs_spec(TOPICS, "audit", 8, None),
    dead_letters_spec(TOPICS, 8, None),
    stats_spec(TOPICS, None),
]
REFUSED = {
    ("segment.bytes", "4194304"),
    ("min.cleanable.dirty.ratio", "0.1"),
    ("retention.bytes", "-1"),
    ("min.insync.replicas", "2"),
    ("cleanup.policy", "compact"),
}


def test_each_setting_is_tried_with_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, FakeAdmin(REFUSED))
    assert abilities.refused_settings(CLUSTER, SPECS) == REFUSED


def test_that_jobs_are_kept_for_ever_is_wanted_even_where_it_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect(monkeypatch, FakeAdmin({("retention.ms", "-1"), ("cleanup.policy", "delete")}))
    assert abilities.refused_settings(CLUSTER, SPECS) == frozenset()


def test_a_user_who_may_create_nothing_is_told_of_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, FakeAdmin(REFUSED, may_create=False))
    assert abilities.refused_settings(CLUSTER, SPECS) == frozenset()


@pytest.mark.parametrize(("refused", "status"), [({("segment.bytes", "4")}, 0), (set(), 1)])
def test_topics_check_is_content_with_what_the_cluster_gives(
    monkeypatch: pytest.MonkeyPatch, refused: set[tuple[str, str]], status: int
) -> None:
    spec = TopicSpec("todo.jobs.audit", 1, config={"segment.bytes": "4"}, has_jobs=True)

    class FakeBroker:
        cluster = CLUSTER

        def topic_specs(self) -> list[TopicSpec]:
            return [spec]

    connect(monkeypatch, FakeAdmin(refused))
    monkeypatch.setattr(table, "load_broker", lambda _: FakeBroker())
    monkeypatch.setattr(table, "check", lambda *_: [Checked(spec, Found(1, 1, {"segment.bytes": "9"}))])
    assert table.show(None, only_check=True, as_json=True) == status
