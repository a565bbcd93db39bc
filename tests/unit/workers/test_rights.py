"""The least rights of each role."""

from __future__ import annotations

import pytest

from workers.rights import ROLES, Right, Role, rights_of
from workers.topics import Topics

TOPICS = Topics("shop")


def test_each_right_is_said_once_and_for_topics_of_the_namespace_or_named_ones() -> None:
    for role in ROLES:
        rights = rights_of(role, TOPICS, ["facts"], ["shop.updates"])
        names = [(right.resource, right.name) for right in rights]
        assert len(names) == len(set(names))
        assert all(right.name.startswith("shop.") or right.name == "facts" for right in rights)


PARTS: tuple[Role, ...] = ("publisher", "operator", "bridge")


@pytest.mark.parametrize("role", [*PARTS, "web"])
def test_only_workers_delete_records(role: Role) -> None:
    assert not any("Delete" in right.operations for right in rights_of(role, TOPICS, ["facts"], []))


def test_workers_write_into_no_source() -> None:
    assert Right("topic", "facts", ("Read", "Describe")) in rights_of("worker", TOPICS, ["facts"], [])


def test_a_web_process_may_what_its_parts_may() -> None:
    web = {
        (right.resource, right.name): set(right.operations)
        for right in rights_of("web", TOPICS, ["f"], ["l"])
    }
    for role in PARTS:
        for right in rights_of(role, TOPICS, ["f"], ["l"]):
            assert set(right.operations) <= web[right.resource, right.name]
