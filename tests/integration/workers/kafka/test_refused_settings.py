"""Topics on a cluster that refuses some settings: the real Kafka refuses values that it does not know."""

from __future__ import annotations

import logging

import pytest

from workers import Cluster
from workers.errors import TopicsMissing
from workers.kafka import connect_admin, create_missing_topics
from workers.kafka.creation.plainer import accepts
from workers.operations.topic_check import check
from workers.topics import TopicSpec

KEPT = {"cleanup.policy": "delete", "retention.ms": "-1"}


def test_a_topic_is_made_without_what_is_refused_and_a_line_for_each_setting_says_so(
    cluster: Cluster, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "workers")
    wanted = KEPT | {
        "message.timestamp.type": "by the sun",
        "segment.bytes": "1",
        "max.message.bytes": "2000000",
        "segment.ms": "600000",
    }
    specs = [TopicSpec(f"{namespace}.{name}", 1, None, wanted) for name in ("a", "b")]
    assert create_missing_topics(cluster, specs) == [spec.name for spec in specs]
    assert [topic.differences for topic in check(cluster, specs)] == [
        ["message.timestamp.type=CreateTime, wanted by the sun", "segment.bytes=1073741824, wanted 1"]
    ] * 2
    stamps, sizes = sorted(caplog.messages)
    assert f"refuses message.timestamp.type for {namespace}.a, {namespace}.b: records have the time" in stamps
    assert "refuses segment.bytes for" in sizes
    assert create_missing_topics(cluster, specs) == []


def test_a_topic_that_cannot_be_compacted_keeps_everything(
    cluster: Cluster, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    letters = TopicSpec(f"{namespace}.dead-letters", 1, None, {"cleanup.policy": "compact by magic"})
    create_missing_topics(cluster, [letters])
    (line,) = caplog.messages
    assert "refuses cleanup.policy for" in line
    kept = TopicSpec(letters.name, 1, None, KEPT)
    assert [topic.differences for topic in check(cluster, [kept])] == [[]]


def test_a_job_topic_that_would_lose_jobs_is_not_made(cluster: Cluster, namespace: str) -> None:
    jobs = TopicSpec(
        f"{namespace}.jobs.audit", 1, None, {"cleanup.policy": "delete", "retention.ms": "always"}
    )
    with pytest.raises(TopicsMissing, match="set KAFKA_JOBS_RETENTION"):
        create_missing_topics(cluster, [jobs])
    with connect_admin(cluster) as admin:
        assert not accepts(admin, jobs)
        assert jobs.name not in admin.list_topics()
