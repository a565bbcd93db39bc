"""The numbers app with a second queue."""

from __future__ import annotations

import dramatiq

from tests.apps.numbers import note


@dramatiq.actor(queue_name="elsewhere", max_retries=0)
def note_elsewhere(number: int) -> None:
    note.fn(number)
