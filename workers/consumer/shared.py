"""The state that the consumers of one process share."""

from __future__ import annotations

from typing import NamedTuple

from ..controls.gate import Gate
from ..kafka import Memberships
from .at_work import AtWork
from .run_alone import RunAlone
from .still_running import StillRunning


class Shared(NamedTuple):
    """The shared state of one broker's consumers."""

    memberships: Memberships
    run_alone: RunAlone
    still_running: StillRunning
    gate: Gate
    at_work: AtWork
