"""The commit that some jobs wait for before they are handed out."""

from __future__ import annotations

from collections.abc import Callable

from ..partitions.commits import Commits

#: Pause before one that was refused is tried again.
_AGAIN_S = 0.05


class CommitFirst:
    """Commits at once, for the consuming thread; not again and again while Kafka takes no commit."""

    def __init__(self, commits: Commits, clock: Callable[[], float]) -> None:
        self._commits = commits
        self._clock = clock
        self._again_at = 0.0

    def __call__(self) -> bool:
        """Commit and wait for it; False if Kafka takes no commit just now: ask again soon."""
        now = self._clock()
        if now < self._again_at:
            return False
        committed = self._commits.make_first()
        if not committed:
            self._again_at = now + _AGAIN_S
        return committed
