"""What a broker refuses when it is made: what would stand still, or fail much later without a word of why."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from workers import Cluster, KafkaBroker
from workers.delays.tiers import TIERS, Tier
from workers.errors import InvalidName, WorkersError, WrongUsage


@pytest.mark.parametrize("jobs", [0, -1])
def test_a_queue_of_which_nothing_may_be_in_hand_is_refused(jobs: int) -> None:
    with pytest.raises(WrongUsage, match=f"with {jobs} jobs of queue mail in hand none would ever run"):
        KafkaBroker(run_mover=False).set_prefetch("mail", jobs)


@pytest.mark.parametrize(
    ("tiers", "error", "words"),
    [
        ((), WrongUsage, "exactly one must have wait_ms=0.*here it is none"),
        (TIERS[1:], WrongUsage, "here it is none"),
        ((Tier("soon", 0), Tier("now", 0)), WrongUsage, "here it is soon and now"),
        ((Tier("x", 0), Tier("x", 60_000)), WrongUsage, "two delay tiers have one name: x, x"),
        ((Tier("soon", 0), Tier("y", -5)), WrongUsage, "'y' waits -5 ms"),
        ((Tier("a/b", 0),), InvalidName, "'todo.delay.a/b' is no topic name"),
    ],
)
def test_tiers_in_which_a_delay_finds_no_way_are_refused(
    tiers: Sequence[Tier], error: type[WorkersError], words: str
) -> None:
    with pytest.raises(error, match=words):
        KafkaBroker(delay_tiers=tiers)


def test_servers_in_one_text_are_refused_with_what_to_write() -> None:
    with pytest.raises(WrongUsage, match=r"write Cluster\(\('a:9092', 'b:9092'\)\), a tuple"):
        Cluster("a:9092, b:9092")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["connect_timeout_s", "send_timeout_s"])
@pytest.mark.parametrize("seconds", [0.0, -1.0, float("inf"), float("nan")])
def test_a_cluster_refuses_a_time_that_is_none(name: str, seconds: float) -> None:
    with pytest.raises(WrongUsage, match=f"{name}={seconds!r}.: give a finite number of seconds above 0"):
        Cluster(**{name: seconds})  # type: ignore[arg-type]
