"""What a process says of the groups that it is in, without a Kafka."""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from kafka.admin import MemberToRemove

from workers import Cluster
from workers.errors import KafkaUnreachable
from workers.kafka import Memberships
from workers.kafka.membership import memberships as module

LOADING = "[Error 14] CoordinatorLoadInProgressError: "


class FakeAdmin:
    """Answers about groups and their members, with an error or without; of some it does not know them yet."""

    def __init__(self) -> None:
        self.error: str | None = None
        self.loading: set[str] = set()
        #: Client ids by group.
        self.members: dict[str, set[str]] = {}

    def describe_groups(self, groups: Collection[str]) -> dict[str, dict[str, Any]]:
        return {group: self._described(group) for group in groups}

    def _described(self, group: str) -> dict[str, Any]:
        if self.error or group in self.loading:
            return {"error": self.error or LOADING, "members": []}
        members = self.members.get(group, ())
        return {"error": None, "members": [{"member_id": name, "client_id": name} for name in members]}

    def remove_group_members(self, group: str, members: Collection[MemberToRemove]) -> None:
        self.members[group] -= {member.member_id for member in members}


@pytest.fixture
def admin(monkeypatch: pytest.MonkeyPatch) -> FakeAdmin:
    admin = FakeAdmin()
    monkeypatch.setattr(module, "connect_admin", lambda _: nullcontext(admin))
    return admin


def dies(memberships: Memberships) -> None:
    """As when its process ends: the operating system takes the lock off."""
    assert memberships._file is not None
    os.close(memberships._file)
    memberships._file = None


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
        LOADING,
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
    dies(dead)
    admin.error = error
    for _ in range(2):
        with pytest.raises(KafkaUnreachable, match="group group"):
            alive.leave_for_the_dead()
    assert len(list(folder.iterdir())) == 1
    admin.error = None
    assert alive.leave_for_the_dead() == 0
    assert list(folder.iterdir()) == []


def test_a_group_whose_coordinator_does_not_know_it_yet_delays_the_leaving_of_no_other(
    admin: FakeAdmin, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    *dead, alive = (Memberships(Cluster(), "n", tmp_path / "members") for _ in range(3))
    groups = ("first", "second")
    admin.members = {group: {one.note(group) for one in dead} for group in groups}
    for one in dead:
        dies(one)
    admin.loading = {"first"}
    with pytest.raises(KafkaUnreachable, match="group first"):
        alive.leave_for_the_dead()
    assert [len(admin.members[group]) for group in groups] == [2, 0]
    assert caplog.text.count("groups left for a process that died members=1") == 2
    admin.loading.clear()
    assert alive.leave_for_the_dead() == 2
    assert not any(admin.members.values())
    assert alive.leave_for_the_dead() == 0
    assert list((tmp_path / "members").iterdir()) == []


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
