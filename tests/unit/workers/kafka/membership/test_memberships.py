"""What a process says of the groups that it is in, without a Kafka."""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from workers import Cluster
from workers.errors import KafkaUnreachable
from workers.kafka import Memberships
from workers.kafka.membership import memberships as module


class FakeAdmin:
    """Answers about groups without members, with an error or without."""

    error: str | None = None

    def describe_groups(self, groups: Collection[str]) -> dict[str, dict[str, Any]]:
        return {group: {"error": self.error, "members": []} for group in groups}


@pytest.fixture
def admin(monkeypatch: pytest.MonkeyPatch) -> FakeAdmin:
    admin = FakeAdmin()
    monkeypatch.setattr(module, "connect_admin", lambda _: nullcontext(admin))
    return admin


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


@pytest.mark.parametrize(
    "error",
    [
        "[Error 14] CoordinatorLoadInProgressError: ",
        "[Error 15] CoordinatorNotAvailableError: None",
        "[Error 16] NotCoordinatorError: ",
    ],
)
def test_a_dead_process_is_remembered_until_its_groups_coordinator_knows_who_is_in_them(
    admin: FakeAdmin, tmp_path: Path, error: str
) -> None:
    """A worker and a broker of Kafka may die together."""
    folder = tmp_path / "members"
    dead, alive = (Memberships(Cluster(), "n", folder) for _ in range(2))
    dead.note("group")
    assert dead._file is not None
    os.close(dead._file)
    dead._file = None
    admin.error = error
    for _ in range(2):
        with pytest.raises(KafkaUnreachable, match="group group"):
            alive.leave_for_the_dead()
    assert len(list(folder.iterdir())) == 1
    admin.error = None
    assert alive.leave_for_the_dead() == 0
    assert list(folder.iterdir()) == []


def test_a_group_counts_as_left_only_if_its_coordinator_knows_who_is_in_it(
    admin: FakeAdmin, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    memberships = Memberships(Cluster(), "n", tmp_path / "members")
    client_id = memberships.note("group")
    admin.error = "[Error 16] NotCoordinatorError: "
    assert not memberships.leave_now(client_id)
    assert "group not left" in caplog.text
    admin.error = "[Error 69] GroupIdNotFoundError: Group group not found."
    assert memberships.leave_now(client_id)
