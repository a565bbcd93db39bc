"""How many jobs of a queue a process has in hand: those that wait leave threads for the others."""

from __future__ import annotations

import tasks
from tasks.app import settings


def test_jobs_that_wait_for_the_mail_server_take_at_most_half_of_the_threads() -> None:
    assert tasks.broker._consumers.prefetch["notifications"] == settings.worker.threads // 2


def test_more_events_may_be_in_hand_than_there_are_threads_as_they_take_none() -> None:
    assert tasks.broker._consumers.prefetch["events"] > 2 * settings.worker.threads
