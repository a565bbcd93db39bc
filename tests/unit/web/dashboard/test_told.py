"""What the log of actions tells of runs."""

from __future__ import annotations

import math
import time

import pytest

from web.dashboard.actions.told import as_run
from workers.operations.action_log import Chain
from workers.operations.logged_runs import SILENT_S, LoggedRun, LoggedRuns, Phase, comes_before


def logged_runs(chain: Chain) -> dict[str, LoggedRun]:
    told = LoggedRuns()
    for action in chain.last:
        told.take(action)
    return told.by_id


def test_of_the_runs_that_have_ended_only_the_last_are_kept() -> None:
    told = LoggedRuns()
    chain = Chain(keep=None, listener=told)
    chain.take(chain.value("ana", "replay", {"run": "acts", "letters": 9}, 1_000))
    for number in range(120):
        about = {"run": f"x{number}", "letters": 1}
        chain.take(chain.value("bo", "discard", about, 1_000))
        chain.take(chain.value("bo", "discard: ended", about, 1_000))
    assert list(told.by_id) == ["acts", *(f"x{number}" for number in range(70, 120))]
    chain.take(chain.value("bo", "discard", {"run": "later", "letters": 1}, 1_000_000))
    assert list(told.by_id) == [*(f"x{number}" for number in range(71, 120)), "later"]


def test_an_end_that_is_told_late_does_not_end_what_another_process_has_gone_on_with() -> None:
    chain = Chain()
    chain.take(chain.value("ana", "replay", {"run": "a", "letters": 9}, 1))
    chain.take(chain.value("ana", "replay: stopped", {"run": "a", "done": 4}, 2))
    chain.take(chain.value("bo", "replay", {"run": "a", "letters": 5}, 3))
    chain.take(chain.value("ana", "replay: stopped", {"run": "a", "done": 4, "turn": 1}, 4))
    chain.take(chain.value("ana", "replay", {"run": "a", "letters": 5}, 5))
    run = logged_runs(chain)["a"]
    assert (run.phase, run.turn, run.who, run.done) == (Phase.ACTING, 3, "bo", 4)


@pytest.mark.parametrize("heard_s", [0, SILENT_S + 10])
def test_a_run_whose_process_was_killed_holds_up_nobody_and_can_go_on(heard_s: float) -> None:
    chain = Chain()
    now_ms = int(time.time() * 1000)
    bounds = {"last": {"0": 7}, "newest": [5, 0, 7], "since_ms": 3, "until_ms": None}
    about = {"run": "a", "letters": 9, "queue": "mail", "bounds": bounds}
    began_ms = now_ms - int(heard_s * 1000) - 90_000
    chain.take(chain.value("ana", "replay", about, began_ms))
    chain.take(chain.value("ana", "replay: goes on", {"run": "a", "done": 4}, began_ms + 90_000))
    chain.take(chain.value("bo", "discard", {"run": "b", "letters": 1}, now_ms))
    found = logged_runs(chain)
    run = as_run(found["a"], now_ms)
    assert (run.done, run.left, run.wanted.queue, run.wanted.since_ms) == (4, 5, "mail", 3)
    if heard_s:
        assert (run.phase, run.can_begin, comes_before(found, "b", now_ms)) == (Phase.STOPPED, True, None)
    else:
        assert (run.phase, run.is_elsewhere, run.can_begin) == (Phase.ACTING, True, False)
        before = comes_before(found, "b", now_ms)
        assert before is not None
        assert before.id == "a"


@pytest.mark.parametrize(
    "about",
    [
        {"run": 5},
        {"run": "a", "letters": "x", "bounds": {"last": [], "newest": 4}},
        {"run": "a", "since": "never", "bounds": {"last": {"x": 1}, "newest": [1, 2, 3]}},
        {"run": "a", "bounds": {"last": {}, "newest": [math.inf, 0, 0]}},
        {"run": "a", "bounds": {"last": {"0": 10**400}, "newest": [1, 2, 3]}},
        {"run": "a", "bounds": {"last": {}, "newest": [1, 2, 3], "since_ms": "x"}},
        {"run": "a", "bounds": {"last": {}, "newest": [1, 2, 3], "until_ms": math.inf}},
        {"run": "a", "letters": 10**400},
        {"run": "a", "places": "args.0", "bounds": {"last": {}, "newest": [1, 2, 3]}},
    ],
)
def test_what_others_wrote_into_the_log_is_no_run_that_could_go_on(about: dict[str, object]) -> None:
    chain = Chain()
    chain.take(chain.value("ana", "replay", about, 1))
    chain.take(chain.value("ana", "replay: stopped", about, 2))
    assert not any(as_run(one, 3).can_begin for one in logged_runs(chain).values())
