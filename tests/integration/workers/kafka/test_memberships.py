"""Leaving groups for processes that are dead, and for no others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.helpers.kafka_reading import members_of
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.kafka import Memberships


def dies(memberships: Memberships) -> None:
    """As when its process ends: the operating system takes the lock off."""
    assert memberships._file is not None
    os.close(memberships._file)
    memberships._file = None


def test_the_groups_of_a_dead_process_are_left_and_those_of_one_that_lives_are_not(
    cluster: Cluster, namespace: str
) -> None:
    group = f"{namespace}.workers.default"
    brokers = [KafkaBroker(cluster, namespace=namespace, partitions=2) for _ in range(2)]
    consumers = []
    for broker in brokers:
        broker.declare_queue("default")
        consumers.append(broker.consume("default", timeout=50))

    def both_are_members() -> bool:
        for consumer in consumers:
            next(consumer)
        return len(members_of(cluster, group)) == 2

    wait_for(both_are_members)
    alive, dead = (broker._consumers.memberships for broker in brokers)
    assert alive.leave_for_the_dead() == 0
    assert alive.is_alive(alive.owner)
    assert alive.is_alive(dead.owner)
    assert not any(map(alive.is_dead, (alive.owner, dead.owner, "elsewhere", "")))
    dies(dead)
    assert not alive.is_alive(dead.owner)
    assert alive.is_dead(dead.owner)
    assert alive.leave_for_the_dead() == 1
    assert not alive.is_alive(dead.owner)
    assert alive.is_dead(dead.owner)
    assert [name.split("-")[2] for name in members_of(cluster, group)] == [alive.owner]
    assert alive.leave_for_the_dead() == 0
    assert {path.name for path in alive._folder.iterdir()} == {alive.owner}
    for consumer in consumers:
        consumer.close()
    assert list(alive._folder.iterdir()) == []
    for broker in brokers:
        broker.close()


def test_a_child_holds_no_lock_of_its_parent(cluster: Cluster, tmp_path: Path) -> None:
    memberships = Memberships(cluster, "n", tmp_path / "members")
    memberships.note("group")
    owner, (ready, tell), (wait, release) = memberships.owner, os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        os.write(tell, b"1" if memberships.owner != owner else b"0")
        os.read(wait, 1)
        os._exit(0)
    try:
        assert os.read(ready, 1) == b"1"
        other = Memberships(cluster, "n", tmp_path / "members")
        assert other.is_alive(owner)
        dies(memberships)
        assert not other.is_alive(owner), "the child has it still"
    finally:
        os.write(release, b"1")
        os.waitpid(child, 0)
        for end in (ready, tell, wait, release):
            os.close(end)


def test_a_folder_that_cannot_be_written_is_said_once(
    cluster: Cluster, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    memberships = Memberships(cluster, "n", tmp_path / "file" / "below")
    for client_id in [memberships.note("group") for _ in range(3)]:
        memberships.forget(client_id)
    assert memberships.leave_for_the_dead() == 0
    assert sum("memberships not written" in record.getMessage() for record in caplog.records) == 1
