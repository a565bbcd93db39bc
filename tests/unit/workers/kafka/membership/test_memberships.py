"""What a process says of the groups that it is in, without a Kafka."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers import Cluster
from workers.kafka import Memberships


def test_a_group_that_was_left_is_not_left_again(
    nowhere: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """dramatiq closes a consumer after each attempt to make another; without Kafka, that took seconds."""
    memberships = Memberships(Cluster((nowhere,), connect_timeout_s=0.2), "n", tmp_path / "members")
    client_id = memberships.note("group")
    assert not memberships.leave_now(client_id)
    assert "group=group" in caplog.text
    memberships.forget(client_id)
    caplog.clear()
    assert not memberships.leave_now(client_id)
    assert caplog.text == ""
