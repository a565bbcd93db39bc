"""What the consumers of one process share."""

from __future__ import annotations

from typing import NamedTuple

from ..kafka import Memberships
from .run_alone import RunAlone
from .still_running import StillRunning


class Shared(NamedTuple):
    """One of them belongs to each broker."""

    memberships: Memberships
    run_alone: RunAlone
    still_running: StillRunning
