"""Looks at a worker's process as it is now, for its reports."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from ..consumer.at_work import AtWork
from ..controls.gate import Gate
from ..fleet.process import Process
from ..kafka import Memberships


class Look:
    """One worker of this process. For one thread."""

    def __init__(
        self,
        memberships: Memberships,
        at_work: AtWork,
        gate: Gate,
        queues: Sequence[str],
        threads: int,
    ) -> None:
        self._memberships = memberships
        self._at_work = at_work
        self._gate = gate
        self._queues = queues
        self._threads = threads
        self._started_ms = int(time.time() * 1000)

    def __call__(self, applied: int | None) -> Process:
        """Return the process as it is, with what it has applied of the control topic."""
        work = self._at_work.look()
        return Process(
            name=self._memberships.owner,
            worker=f"{socket.gethostname()}:{os.getpid()}",
            version=_version(),
            started_ms=self._started_ms,
            queues=self._queues,
            threads=self._threads,
            applied=applied,
            jobs=work.jobs,
            running=work.running,
            in_hand=work.in_hand,
            switched=dict(self._gate.counts),
        )


@cache
def _version() -> str:
    try:
        return version("todo-workers")
    except PackageNotFoundError:  # it runs from its sources
        return "unknown"
