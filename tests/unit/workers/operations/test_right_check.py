"""What a user lacks of a role's rights, by what a cluster says that it may do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from workers.delays.tiers import TIERS
from workers.display.lists import few
from workers.operations.right_check import lacking
from workers.operations.topic_check import Checked
from workers.rights import ROLES, Right, Role, needed_rights, operations_on
from workers.topics import (
    Topics,
    TopicSpec,
    actions_spec,
    control_spec,
    dead_letters_spec,
    delay_spec,
    fleet_spec,
    jobs_spec,
    log_config,
    stats_spec,
)

TOPICS = Topics("shop")
SPECS = (
    TopicSpec("facts", 1, config=log_config(1), is_source=True),
    TopicSpec("shop.updates", 1, config=log_config(1)),
    jobs_spec(TOPICS, "mail", 1, None),
    *(delay_spec(TOPICS, tier.name, 1, None) for tier in TIERS),
    dead_letters_spec(TOPICS, 1, None),
    control_spec(TOPICS, None),
    fleet_spec(TOPICS, None),
    stats_spec(TOPICS, None),
)
CHECKED = [*SPECS, actions_spec(TOPICS)]
GROUPS = (TOPICS.group("mail"), TOPICS.movers)


def said(operations: Sequence[str]) -> frozenset[str]:
    """The operations as Kafka answers them."""
    return frozenset(re.sub("(?<=[a-z])(?=[A-Z])", "_", one).upper() for one in operations)


def lacks(needed: Sequence[Right], given: Sequence[Right]) -> list[str]:
    """What a user lacks that has what is given, and no operation besides that one includes."""
    topics = [Checked(spec, None, rights=said(operations_on(given, "topic", spec.name))) for spec in CHECKED]
    groups = {name: said(operations_on(given, "group", name)) for name in GROUPS}
    return lacking(needed, topics, groups)


def without_one(rights: Sequence[Right]) -> Iterator[tuple[str, Right, list[Right]]]:
    for place, right in enumerate(rights):
        for operation in right.operations:
            left = replace(right, operations=tuple(one for one in right.operations if one != operation))
            yield operation, right, [*rights[:place], left, *rights[place + 1 :]]


@pytest.mark.parametrize("role", ROLES)
def test_who_has_the_rights_of_a_role_lacks_none_and_each_that_is_taken_away_is_named(role: Role) -> None:
    rights = needed_rights(role, TOPICS, SPECS)
    assert lacks(rights, rights) == []
    for operation, right, given in without_one(rights):
        names = [spec.name for spec in CHECKED] if right.resource == "topic" else GROUPS
        hit = [name for name in names if right.is_on(right.resource, name)]
        assert hit
        # Another right of the role may have the operation as well.
        lost = [name for name in hit if operation not in operations_on(given, right.resource, name)]
        of = "the groups " if right.resource == "group" else ""
        assert lacks(rights, given) == [f"{operation} on {of}{few(lost)}"] * bool(lost)


def test_a_hidden_topic_shows_that_the_user_may_not_describe_it() -> None:
    rights = needed_rights("creator", TOPICS, SPECS)
    assert lacking(rights, [Checked(SPECS[0], None, hidden=True)], {}) == ["Describe on facts"]
    bridge = needed_rights("bridge", TOPICS, SPECS)
    hidden = [Checked(spec, None, hidden=True) for spec in SPECS]
    assert [text.partition(" ")[0] for text in lacking(bridge, hidden, {})] == ["Read", "Describe"]
    # Of a group that is not there yet the cluster says nothing.
    worker = needed_rights("worker", TOPICS, SPECS)
    assert lacking(worker, [], dict.fromkeys(GROUPS)) == []
    assert lacking(worker, [], {TOPICS.movers: ()}) == ["Read on the groups shop.movers"]


def test_without_a_role_it_is_about_a_user_who_sends_works_and_trims() -> None:
    rights = needed_rights(None, TOPICS, SPECS)
    assert lacks(rights, rights) == []
    found = lacks(rights, needed_rights("publisher", TOPICS, SPECS))
    assert [text.partition(",")[0] for text in found] == [
        "Read on facts",
        "Write on shop.updates",
        "Delete on shop.jobs.mail",
        "Read on the groups shop.workers.mail",
    ]
