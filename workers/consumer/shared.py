"""The state that the consumers of one process share."""

from __future__ import annotations

from typing import NamedTuple

from ..kafka import Memberships
from .run_alone import RunAlone
from .still_running import StillRunning


class Shared(NamedTuple):
    """The shared state of one broker's consumers."""

    memberships: Memberships
    run_alone: RunAlone
    still_running: StillRunning
