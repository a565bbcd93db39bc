"""Differences between a topic as it should be and as it is."""

from __future__ import annotations

from workers.operations.topic_check import Checked, Found, compare
from workers.topics import Topics, TopicSpec, stats_spec

SPEC = TopicSpec("t", 8, 3, {"retention.ms": "-1"})


def found(partitions: int = 8, replication: int = 3, **config: str) -> Found:
    return Found(partitions, replication, {"retention.ms": "-1", "min.insync.replicas": "2"} | config)


def test_more_partitions_and_other_settings_are_no_difference() -> None:
    assert compare(SPEC, found(partitions=12, other="x")) == []


def test_each_difference_says_what_is_and_what_is_wanted() -> None:
    assert compare(SPEC, Found(2, 1, {"retention.ms": "604800000"})) == [
        "partitions 2, wanted 8",
        "replication 1, wanted 3",
        "min.insync.replicas=unknown, wanted 2",
        "retention.ms=604800000, wanted -1",
    ]
    assert compare(TopicSpec("t", 8, 2, {"retention.ms": "-1"}), Found(8, 2, {})) == [
        "retention.ms=unknown, wanted -1"
    ]


def test_the_clusters_own_replication_is_never_a_difference() -> None:
    assert compare(TopicSpec("t", 8), Found(8, 1, {})) == []


def test_on_three_brokers_fewer_than_three_copies_are_a_difference() -> None:
    assert compare(TopicSpec("t", 8), Found(8, 1, {"min.insync.replicas": "1"}), 3) == [
        "replication 1, wanted 3",
        "min.insync.replicas=1, wanted 2",
    ]
    assert compare(TopicSpec("t", 8), Found(8, 5, {"min.insync.replicas": "3"}), 5) == []
    assert compare(TopicSpec("t", 8, 2), Found(8, 2, {}), 3) == []
    assert compare(SPEC, found(replication=4), 3) == ["replication 4, wanted 3"]


def test_rights_are_lacking_only_where_the_cluster_tells_them() -> None:
    everything = ("Read", "Write", "Describe", "Delete", "DescribeConfigs")
    assert Checked(SPEC, found()).lacking(everything) == []
    some = frozenset({"READ", "DESCRIBE", "DESCRIBE_CONFIGS"})
    for there in (found(), None):
        assert Checked(SPEC, there, rights=some).lacking(everything) == ["Write", "Delete"]
    compact = TopicSpec("t", 8, config={"cleanup.policy": "compact"})
    assert Checked(compact, found(), rights=some).lacking(everything) == ["Write"]
    assert Checked(SPEC.kept_for(1), found(), rights=some).lacking(everything) == ["Write"]
    hidden = Checked(SPEC, None, hidden=True)
    assert hidden.lacking((*everything, "Create")) == ["Read", "Write", "Describe", "Delete"]
    assert hidden.lacking(()) == []


def test_what_the_cluster_refuses_is_no_difference_and_the_same_setting_with_another_value_is() -> None:
    small, large = (
        TopicSpec("s", 1, config={"segment.bytes": "4"}),
        TopicSpec("l", 1, config={"segment.bytes": "64"}),
    )
    refused = {("segment.bytes", "4"), ("min.insync.replicas", "2")}
    on_three = Found(1, 3, {"segment.bytes": "1024", "min.insync.replicas": "1"})
    assert Checked(small, on_three, brokers=3).without(refused).differences == []
    assert Checked(large, on_three, brokers=3).without(refused).differences == [
        "segment.bytes=1024, wanted 64"
    ]


def test_how_small_the_history_is_kept_is_a_hint_with_its_command() -> None:
    spec = stats_spec(Topics("todo"), None)
    earlier = {name: value for name, value in spec.config.items() if not name.startswith(("max.", "delete."))}
    assert Checked(spec, Found(1, 1, spec.config)).hint == ""
    topic = Checked(spec, Found(1, 1, earlier | {"delete.retention.ms": "86400000"}))
    assert topic.differences == []
    assert topic.hint == (
        "kafka-configs --bootstrap-server ... --alter --entity-type topics --entity-name todo.stats "
        "--add-config max.compaction.lag.ms=3600000,delete.retention.ms=3600000"
    )
    assert topic.without(spec.config.items()).hint == ""
    jobs = TopicSpec("t", 1, config={"segment.bytes": "64"}, has_jobs=True)
    assert Checked(jobs, Found(1, 1, {})).hint == ""
    assert Checked(spec, Found(1, 1, dict(spec.config) | {"cleanup.policy": "delete"})).differences == [
        "cleanup.policy=delete, wanted compact,delete"
    ]
