"""Finds the partitions whose owners could start jobs at once, from the commits of their group. Pure: no I/O.

Each commit names its owner, what that has in hand, what waits in it, and whether all of its threads are busy.
That may be a fraction of a second old, and says nothing of a process's other queues: one that gets jobs which
it cannot start says in its commits that it is busy, and passes them on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from itertools import cycle, islice, zip_longest

from ..kafka import OffsetAndMetadata, TopicPartition
from . import commit_metadata

#: A process that has done all that it was given may have so many times as many jobs from then on.
_GROWTH = 4
#: The most jobs that a process may have.
_MAX_JOBS = 512

Commits = dict[TopicPartition, OffsetAndMetadata]


class FreePlaces:
    """The places for jobs in other processes. It learns how many each can take. For one thread."""

    def __init__(self, mine: str, jobs_at_once: int, is_dead: Callable[[str], bool]) -> None:
        """``mine`` is the name of this process; a process runs ``jobs_at_once``, as far as is known.

        ``is_dead`` says whether the process of a name is known to be dead, though its last commits may say
        that it is free.
        """
        self._is_dead = is_dead
        self._mine = mine
        self._jobs_at_once = jobs_at_once
        #: How many jobs each process may have that was given some before.
        self._limits: dict[str, int] = {}
        #: The commits of each such process when it was given some: the same again do not show them yet.
        self._given_at: dict[str, Commits] = {}

    def find(
        self,
        commits: Mapping[TopicPartition, OffsetAndMetadata],
        wanted: int,
        avoided: Collection[TopicPartition] = (),
    ) -> list[TopicPartition]:
        """Choose a partition, none of ``avoided``, for each of at most ``wanted`` jobs."""
        by_owner: dict[str, Commits] = defaultdict(dict)
        for partition, commit in commits.items():
            by_owner[_owner(commit)][partition] = commit
        limits: dict[str, int] = {}
        offers = []
        for owner in by_owner.keys() - {"", self._mine}:
            theirs = by_owner[owner]
            loads = [commit_metadata.decode_load(commit.metadata) for commit in theirs.values()]
            if not any(load.busy for load in loads) and not self._is_dead(owner):
                not_done = sum(load.waiting for load in loads) + sum(map(_in_hand, theirs.values()))
                limits[owner] = self._limit(owner, theirs, not_done)
                room = 0 if self._given_at.get(owner) == theirs else limits[owner] - not_done
                open_ones = [partition for partition in theirs if partition not in avoided]
                offers.append(islice(cycle(open_ones), max(0, room)))
        in_turn = (
            partition for places in zip_longest(*offers) for partition in places if partition is not None
        )
        found = list(islice(in_turn, wanted))
        given = {_owner(commits[partition]) for partition in found}
        self._limits = {owner: limits[owner] for owner in limits.keys() & (self._limits.keys() | given)}
        self._given_at |= {owner: by_owner[owner] for owner in given}
        return found

    def forget(self) -> None:
        """Forget what was learned: it is long ago, or a job that was given did not get there."""
        self._limits, self._given_at = {}, {}

    def _limit(self, owner: str, theirs: Commits, not_done: int) -> int:
        limit = self._limits.get(owner)
        if limit is None:
            return self._jobs_at_once
        is_done = not not_done and self._given_at.get(owner) != theirs
        return min(_MAX_JOBS, _GROWTH * limit) if is_done else limit


def _owner(commit: OffsetAndMetadata) -> str:
    return commit_metadata.decode_crash_counts(commit.offset, commit.metadata).owner


def _in_hand(commit: OffsetAndMetadata) -> int:
    return len(commit_metadata.decode(commit.offset, commit.metadata).undone)
