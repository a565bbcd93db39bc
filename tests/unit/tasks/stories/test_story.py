"""The steps of a story, in the order of their times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tasks.stories.story import Jobs, Story

AT = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize(("written_ms", "is_told"), [(-1, False), (0, False), (1, True)])
def test_when_the_log_got_an_event_is_a_step_if_that_is_known(written_ms: int, is_told: bool) -> None:
    row: Any = {"time": AT, "recorded_at": AT, "details": {"log_position": {"written_ms": written_ms}}}
    steps = [step.what for step in Story("e", row, None, (), Jobs()).steps()]
    assert ("written to the event log" in steps) == is_told
