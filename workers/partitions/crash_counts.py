"""Counts how often the process that held a job has died, by job. Pure: no I/O, no clock.

A job can end its whole process: by a crash of native code, or because it takes all memory. No code is left to
report that. The sign is that the partition's last owner did not hand it over: an owner writes into its
commits that it holds the partition, and takes that back in the commit with which it leaves. ::

    owner A   commit "held" ── jobs ── commit "held" ── dies
    owner B   finds "held": the next PRESUMED jobs may all have been in A's hands: one death each
              commit "held, jobs 0..31 have seen 2 deaths"   before the first of them starts
              jobs 0..31 ── commit "held, jobs 32..63 ..." ── and so on
              leaves: commit without "held"

An owner that finds the mark hands the first jobs out in small windows. Before a window starts, a commit says
how many deaths its jobs will have seen if the process dies now. A job that has seen ALONE_FROM deaths runs
alone in its process, so that no other job is counted with it; one that has seen GIVEN_UP_FROM is given up.

A process that stalls for longer than its session loses its partitions too, and is not dead. So a mark names
its process; if that is known to be alive (`Memberships`), which includes the one that reads its own mark
again, it counts no death.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

#: From this many deaths on, a job runs alone in its process.
ALONE_FROM = 2
#: With this many deaths, a job is given up.
GIVEN_UP_FROM = 3
#: How many jobs after the position we presume the dead owner held. It had done some of them since its last
#: commit; those are repeated.
PRESUMED = 1_000
#: Jobs in one window: a larger one lets each death suspect more jobs, a smaller one needs more commits.
WINDOW = 32


@dataclass(frozen=True, slots=True)
class CrashCounts:
    """The part of a commit that is about crashes: whether the partition is held, and jobs' deaths by offset.

    With ``held``, the deaths are those that count if the owner dies without another commit. ``owner`` names
    the process that holds it.
    """

    held: bool = False
    deaths: Mapping[int, int] = field(default_factory=dict)
    owner: str = ""

    def if_it_lives(self) -> CrashCounts:
        """The counts if the process that made the mark is alive: it lost the partition, but did not die."""
        if not self.held:
            return self
        # All count as if they had been in hand; a job that waited to run alone gets one more try.
        return CrashCounts(deaths={offset: seen - 1 for offset, seen in self.deaths.items() if seen > 1})


class CrashCounter:
    """Counts the deaths of one assignment's jobs, and says what must be committed first. For one thread."""

    __slots__ = (
        "_careful_until",
        "_committed_until",
        "_deaths",
        "_if_it_dies_now",
        "_planned_until",
        "_presumed_left",
        "is_calm",
    )

    def __init__(self, inherited: CrashCounts) -> None:
        self._deaths = dict(inherited.deaths)
        #: The deaths that a commit records instead of `_deaths`, for jobs that are or may be running.
        self._if_it_dies_now: dict[int, int] = {}
        #: How many more jobs count as held by the owner that died.
        self._presumed_left = PRESUMED if inherited.held else 0
        #: All jobs with recorded deaths are below this offset.
        self._careful_until = max(inherited.deaths, default=-1) + 1
        self._planned_until = self._committed_until = -1
        #: Whether no job has seen a death, and none needs a commit before it starts. It stays so, once it is.
        self.is_calm = False

    def deaths_of(self, offset: int) -> int:
        """The deaths that a job has seen; right only once the job's window is planned."""
        return self._deaths.get(offset, 0)

    def is_suspected(self, offset: int) -> bool:
        """Whether the job may have been in hand when its process died."""
        return self._presumed_left > 0 or offset < self._careful_until or offset in self._deaths

    def must_commit_before(self, offset: int) -> bool:
        """Whether the job may start only after a commit, for which :meth:`plan_window` comes first."""
        if self._committed_until < 0:  # no commit yet says that the partition is held
            return True
        return offset >= self._committed_until and (self._presumed_left > 0 or offset < self._careful_until)

    def plan_window(self, offsets: Iterable[int]) -> None:
        """Make a window of the next jobs, in rising order: the next commit names them."""
        self._planned_until = max(self._planned_until, 0)
        for offset, _ in zip(offsets, range(WINDOW), strict=False):
            if self._presumed_left <= 0 and offset >= self._careful_until:
                break
            if offset < self._planned_until:
                continue
            self._presumed_left -= 1
            if self._presumed_left >= 0:
                self._deaths.setdefault(offset, 1)
            deaths = self.deaths_of(offset)
            if deaths < ALONE_FROM:
                self._if_it_dies_now[offset] = deaths + 1
            self._planned_until = offset + 1

    def plan_alone(self, offset: int) -> None:
        """Plan that the job starts with no other in its process: the next commit says so."""
        self._if_it_dies_now[offset] = self.deaths_of(offset) + 1

    def unplan_alone(self, offset: int) -> None:
        """Take that plan back: the job does not start yet."""
        del self._if_it_dies_now[offset]

    def committed(self) -> None:
        """Note that Kafka has stored a commit of all that was planned."""
        self._committed_until = self._planned_until
        may_come = self._presumed_left > 0 or self._careful_until > 0
        self.is_calm = self._committed_until >= 0 and not (may_come or self._deaths or self._if_it_dies_now)

    def done(self, offset: int) -> None:
        """Forget a job that is done."""
        if self._deaths or self._if_it_dies_now:
            self._deaths.pop(offset, None)
            self._if_it_dies_now.pop(offset, None)

    def to_commit(self, *, held: bool, owner: str = "") -> CrashCounts:
        """The crash counts to commit; ``held`` is False in the last commit of an owner that leaves.

        An owner that leaves before it has run all that the dead one may have held leaves the mark as it was.
        """
        if not held:
            return CrashCounts(self._presumed_left > 0, self._deaths)
        return CrashCounts(True, self._deaths | self._if_it_dies_now, owner)
