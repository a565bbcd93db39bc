"""For whom heartbeats are sent."""

from __future__ import annotations

from typing import Any

import pytest
from kafka.coordinator.base import Generation
from kafka.coordinator.heartbeat import Heartbeat

from workers import Cluster
from workers.kafka import Heartbeats


class Member:
    """A member of a group that polled some seconds ago."""

    group_id, group_instance_id, coordinator_id, _heartbeat_enabled = "g", None, 1, True

    def __init__(self, polled_ago_s: float) -> None:
        self._generation = Generation(7, "member", "sticky")
        self.heartbeat = Heartbeat(group_id="g", max_poll_interval_ms=60_000)
        self.heartbeat.poll()
        self.heartbeat.last_poll -= polled_ago_s

    def generation_if_stable(self) -> Any:
        return self._generation


@pytest.mark.parametrize(("polled_ago_s", "is_sent"), [(1, True), (61, False)])
def test_none_is_sent_for_a_member_that_does_not_poll(polled_ago_s: float, is_sent: bool) -> None:
    beat = Heartbeats(Cluster())._beat_of(Member(polled_ago_s))
    assert (beat is not None) == is_sent
