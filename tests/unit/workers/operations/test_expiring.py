"""What is not done, and how near it is to its topic's retention."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from workers.operations.expiring import Expiring, Retentions, expiring

DAY_S = 86_400.0
NOW_S = 100 * DAY_S


def undone(topic: str, age_days: float) -> Any:
    stamp = int((NOW_S - age_days * DAY_S) * 1000)
    return SimpleNamespace(topic=topic, partition=1, offset=7, timestamp=stamp)


def test_only_what_is_near_its_topics_own_retention_is_told() -> None:
    kept = {"jobs": 8 * DAY_S, "events": 30 * DAY_S}
    records = [undone("jobs", 5.9), undone("events", 10), undone("for ever", 99)]
    assert expiring(records, kept, NOW_S) == []
    (near,) = expiring([*records, undone("jobs", 6.0)], kept, NOW_S)
    assert near == Expiring("jobs", 1, 7, 6 * DAY_S, 8 * DAY_S)
    assert str(near).startswith(
        "jobs/1 at offset 7 is not done after 6.0 days, and Kafka deletes it in 2.0 days, as the topic keeps "
        "records for 8.0 days: have it done, or let the topic keep them for longer"
    )
    (over,) = expiring([undone("jobs", 9)], kept, NOW_S)
    assert "Kafka deletes it at any moment" in str(over)


def test_a_record_without_a_time_is_near_no_end() -> None:
    unstamped = [
        SimpleNamespace(topic="jobs", partition=1, offset=7, timestamp=stamp) for stamp in (-1, 0, 1)
    ]
    records: Any = unstamped
    assert [one.age_s for one in expiring(records, {"jobs": 8 * DAY_S}, NOW_S)] == [NOW_S - 0.001]


class FakeAdmin:
    def __init__(self, **retention_ms: str) -> None:
        self.retention_ms = retention_ms
        self.asked: list[list[str]] = []

    def describe_configs(self, resources: list[Any], config_filter: str) -> Any:
        self.asked.append([resource.name for resource in resources])
        found = {name: {"retention.ms": {"value": value}} for name, value in self.retention_ms.items()}
        return {"topic": {name: found.get(name, {}) for name in self.asked[-1]}}


def test_kafka_is_asked_for_each_topic_once_a_minute() -> None:
    now_s = 0.0
    retentions = Retentions(lambda: now_s)
    admin: Any = FakeAdmin(jobs="86400000", all="-1")
    assert retentions.of(admin, ["jobs", "all", "hidden"]) == {"jobs": DAY_S}
    admin.retention_ms = {"jobs": "-1"}
    assert retentions.of(admin, ["jobs", "other"]) == {"jobs": DAY_S}
    now_s = 60.0
    assert retentions.of(admin, ["jobs"]) == {}
    assert admin.asked == [["jobs", "all", "hidden"], ["other"], ["jobs"]]
