"""Which jobs of a partition may have killed the process that held them. Pure: no I/O, no clock.

A job can end its whole process: by a crash of native code, by its hunger for memory. Nobody is left to say
so; what tells is that the partition's last owner did not hand it over. So an owner writes into its commits
that it holds the partition, and takes that back when it leaves. Who finds such a mark takes over carefully:
the first jobs may all have been in hand, and count as having seen one death. They are handed out in small
windows, each of which is committed before it starts, with the deaths that its jobs will have seen if the
process dies now. A job that has seen two runs alone in its process, so that no other is blamed for the
third; one that has seen three is given up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

#: From so many deaths on a job runs alone in its process.
ALONE_FROM = 2
#: With so many deaths a job is given up.
GIVEN_UP_FROM = 3
#: How many jobs count as in hand when the owner died; as many of those behind as it did since its last commit
#: were done, and are repeated.
PRESUMED = 1_000
#: Jobs in one window: more cost a death more suspects, fewer cost more commits.
WINDOW = 32


@dataclass(frozen=True, slots=True)
class Custody:
    """What a commit says: whether a live owner holds the partition, and the deaths jobs have seen by offset.

    With ``held``, the deaths are those if the owner dies without another commit.
    """

    held: bool = False
    deaths: Mapping[int, int] = field(default_factory=dict)


class Suspicion:
    """The deaths that the jobs of one assignment of one partition have seen. Owned by one thread."""

    __slots__ = ("_before", "_careful_until", "_if_now", "_planned_until", "_presumed_left", "_told_until")

    def __init__(self, inherited: Custody) -> None:
        self._before = dict(inherited.deaths)
        self._if_now: dict[int, int] = {}
        #: How many more jobs count as held by the owner that died.
        self._presumed_left = PRESUMED if inherited.held else 0
        #: Jobs with recorded deaths are below.
        self._careful_until = max(inherited.deaths, default=-1) + 1
        self._planned_until = self._told_until = -1

    def deaths_of(self, offset: int) -> int:
        """The deaths that a job has seen; of a careful partition, once its window is planned."""
        return self._before.get(offset, 0)

    def must_tell(self, offset: int) -> bool:
        """Whether a commit must tell of the job before it starts."""
        if self._told_until < 0:  # not even that the partition is held
            return True
        return offset >= self._told_until and (self._presumed_left > 0 or offset < self._careful_until)

    def plan(self, offsets: Iterable[int]) -> None:
        """Make a window of the jobs that come next: what the next commit tells of."""
        self._planned_until = max(self._planned_until, 0)
        for offset, _ in zip(offsets, range(WINDOW), strict=False):
            if self._presumed_left <= 0 and offset >= self._careful_until:
                break
            if offset < self._planned_until:
                continue
            self._presumed_left -= 1
            if self._presumed_left >= 0:
                self._before.setdefault(offset, 1)
            deaths = self.deaths_of(offset)
            if deaths < ALONE_FROM:
                self._if_now[offset] = deaths + 1
            self._planned_until = offset + 1

    def plan_alone(self, offset: int) -> None:
        """The job is to start with no other in its process: the next commit tells of that."""
        self._if_now[offset] = self.deaths_of(offset) + 1

    def unplan_alone(self, offset: int) -> None:
        """It does not start yet."""
        del self._if_now[offset]

    def told(self) -> None:
        """A commit has told of what was planned."""
        self._told_until = self._planned_until

    def done(self, offset: int) -> None:
        """The job is done; it is no longer suspected."""
        if self._before or self._if_now:
            self._before.pop(offset, None)
            self._if_now.pop(offset, None)

    def custody(self, *, held: bool) -> Custody:
        """What a commit says; ``held``: it is not a last one."""
        return Custody(held, self._before | self._if_now if held else self._before)
