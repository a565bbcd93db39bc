"""An event in hand ends once, whatever becomes of the announcements of its effects."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.effects.event_in_hand import Effect, EventInHand
from tasks.events.models import read_any_event
from tests.helpers.samples import an_event


def test_an_announcement_that_fails_is_logged_and_the_event_ends_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def tell(*_: Any) -> None:
        raise KeyError("Mars/Olympus")

    ends: list[Exception | None] = []
    data = an_event().model_dump(mode="json")
    event = EventInHand(read_any_event(data), data, ends.append, tell)
    for effect in Effect:
        event.done(effect, "done")
    assert ends == [None]
    assert caplog.text.count("event.not_told event_id=") == len(Effect)
