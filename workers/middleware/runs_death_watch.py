"""Lets a worker process without a mover leave the groups of those that died on its machine."""

from __future__ import annotations

from typing import Protocol

from ..kafka import Memberships
from ..kafka.membership.death_watch import DeathWatch
from .runs_thread import RunsThread


class HasMemberships(Protocol):
    """The part of the broker that RunsDeathWatch needs."""

    memberships: Memberships


class RunsDeathWatch(RunsThread[DeathWatch]):
    """Runs a `DeathWatch` in every worker process; one that runs a mover has that of its mover."""

    outlives_jobs = True

    def __init__(self) -> None:
        def make(broker: HasMemberships) -> DeathWatch:
            return DeathWatch(broker.memberships)

        super().__init__(make)
