"""Differences between a topic as it should be and as it is."""

from __future__ import annotations

from workers.operations.topic_check import Checked, Found, compare
from workers.topics import TopicSpec

SPEC = TopicSpec("t", 8, 3, {"retention.ms": "-1"})


def found(
    partitions: int = 8, replication: int = 3, rights: frozenset[str] | None = None, **config: str
) -> Found:
    return Found(partitions, replication, {"retention.ms": "-1", "min.insync.replicas": "2"} | config, rights)


def test_more_partitions_and_other_settings_are_no_difference() -> None:
    assert compare(SPEC, found(partitions=12, other="x")) == []


def test_each_difference_says_what_is_and_what_is_wanted() -> None:
    assert compare(SPEC, Found(2, 1, {"retention.ms": "604800000"}, None)) == [
        "partitions 2, wanted 8",
        "replication 1, wanted 3",
        "min.insync.replicas=unknown, wanted 2",
        "retention.ms=604800000, wanted -1",
    ]
    assert compare(TopicSpec("t", 8, 2, {"retention.ms": "-1"}), Found(8, 2, {}, None)) == [
        "retention.ms=unknown, wanted -1"
    ]


def test_the_clusters_own_replication_is_never_a_difference() -> None:
    assert compare(TopicSpec("t", 8), Found(8, 1, {}, None)) == []


def test_on_three_brokers_fewer_than_three_copies_are_a_difference() -> None:
    assert compare(TopicSpec("t", 8), Found(8, 1, {"min.insync.replicas": "1"}, None), 3) == [
        "replication 1, wanted 3",
        "min.insync.replicas=1, wanted 2",
    ]
    assert compare(TopicSpec("t", 8), Found(8, 5, {"min.insync.replicas": "3"}, None), 5) == []
    assert compare(TopicSpec("t", 8, 2), Found(8, 2, {}, None), 3) == []
    assert compare(SPEC, found(replication=4), 3) == ["replication 4, wanted 3"]


def test_rights_are_missing_only_where_the_cluster_tells_them() -> None:
    assert Checked(SPEC, found()).missing_rights == []
    assert Checked(SPEC, None).missing_rights == []
    assert Checked(SPEC, found(rights=frozenset({"READ", "DESCRIBE"}))).missing_rights == ["WRITE", "DELETE"]
    source = TopicSpec("t", 8, is_source=True)
    assert Checked(source, found(rights=frozenset({"READ", "DESCRIBE"}))).missing_rights == []
    assert Checked(source, found(rights=frozenset({"DESCRIBE"}))).missing_rights == ["READ"]
    assert Checked(SPEC, None, hidden=True).missing_rights == ["READ", "WRITE", "DESCRIBE", "DELETE"]
