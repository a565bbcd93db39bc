"""A topic that cannot be created is not asked for again with each job that needs it."""

from __future__ import annotations

import pytest

from workers import Cluster
from workers.broker import provisioning
from workers.broker.provisioning import Layout, Provisioning
from workers.delays.tiers import TIERS
from workers.errors import TopicsMissing
from workers.topics import Topics, TopicSpec


def test_a_refusal_for_a_queue_of_others_is_remembered_for_some_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s, may_create = 100.0, False
    asked: list[str] = []

    def create(_cluster: Cluster, specs: list[TopicSpec]) -> list[str]:
        asked.extend(spec.name for spec in specs)
        if not may_create and asked[-1].endswith("foreign"):
            raise TopicsMissing("topics are missing: shop.jobs.foreign")
        return []

    monkeypatch.setattr(provisioning, "create_missing_topics", create)
    found = Provisioning(Cluster(), Topics("shop"), TIERS, Layout(1, None), clock=lambda: now_s)
    for _ in range(100):
        with pytest.raises(TopicsMissing, match="topics are missing"):
            found.prepare_foreign("foreign")
    found.prepare_foreign("another")
    assert asked == ["shop.jobs.foreign", "shop.jobs.another"]
    now_s += 6
    with pytest.raises(TopicsMissing):
        found.prepare_foreign("foreign")
    now_s, may_create = now_s + 6, True
    for _ in range(100):
        found.prepare_foreign("foreign")
    assert asked == ["shop.jobs.foreign", "shop.jobs.another", "shop.jobs.foreign", "shop.jobs.foreign"]
