"""The chatbot's workers, one of which dies between the claim of an alarm and the notice that follows from it.

It dies as often as the file in REMINDERS_DIE_FILE can be removed: once.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import tasks.actors.reminders
from tasks import broker
from tasks.notifications.notice import Notice

__all__ = ["broker"]

_send = tasks.actors.reminders.send_notices


def die_once(notices: Sequence[Notice]) -> None:
    marker = Path(os.environ["REMINDERS_DIE_FILE"])
    if marker.exists():
        marker.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    _send(notices)


tasks.actors.reminders.send_notices = die_once
