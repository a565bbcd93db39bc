"""Installs the middleware that every broker has, in its order."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import dramatiq
from dramatiq.middleware import Retries as DramatiqRetries
from dramatiq.middleware import default_middleware

from ..controls.follower import Follower
from ..controls.gate import Gate
from .boot_check import BootCheck
from .follows_controls import FollowsControls
from .measures_sending import MeasuresSending
from .records_stats import RecordsStats
from .retries import Retries
from .revocation_guard import RevocationGuard
from .runs_death_watch import RunsDeathWatch
from .runs_mover import RunsMover
from .stops_once import StopsOnce
from .tells_delayed import TellsDelayed
from .traces_jobs import TracesJobs
from .work_queue import SetsWorkQueue


def defaults(retries: Retries) -> list[dramatiq.Middleware]:
    """dramatiq's default middleware, with ``retries`` in the place of its own, which is the last."""
    others = (kind for kind in default_middleware if kind is not DramatiqRetries)
    return [*(kind() for kind in others), retries]


class Controlled(Protocol):
    """What lets jobs start, and what follows the decisions of operators for that."""

    gate: Gate

    def follower(self, worker: dramatiq.Worker) -> Follower:
        """Make that of a worker."""

    def tell_lacks(self, worker: dramatiq.Worker) -> None:
        """Log what Kafka lacks for the topics of a worker."""


def add_own(
    broker: dramatiq.Broker,
    controlled: Controlled,
    *,
    run_mover: bool,
    record_stats: bool,
    health_dir: Path | None,
) -> None:
    """Add the middleware that the pool itself needs to a broker that has all other middleware."""
    controls = FollowsControls(controlled.follower)
    broker.add_middleware(BootCheck(controls.load, controlled.tell_lacks))
    broker.add_middleware(controls)
    broker.add_middleware(StopsOnce())
    broker.add_middleware(SetsWorkQueue())
    broker.add_middleware(MeasuresSending())
    broker.add_middleware(TracesJobs())
    broker.add_middleware(RunsMover(health_dir) if run_mover else RunsDeathWatch())
    if record_stats:
        broker.add_middleware(RecordsStats())
    # Before the middleware that it tells of them, which looks for them when they begin.
    broker.add_middleware(TellsDelayed(), before=type(broker.middleware[0]))
    # First of all: no other middleware begins with a job that it skips.
    broker.add_middleware(RevocationGuard(controlled.gate), before=type(broker.middleware[0]))
