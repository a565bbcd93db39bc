"""One action on dead letters: which letters, how far it is, and what may be done with it. No I/O."""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from workers.dead_letters.edits import Edit
from workers.dead_letters.filter import Filter
from workers.dead_letters.resolving import Resolution
from workers.dead_letters.selection import Bounds, Selection
from workers.operations.logged_runs import Phase

#: How many letters a second an unlimited action is thought to do, for what is said of its length.
FULL_RATE = 5_000


@dataclass
class Run:
    """An action on the letters that a filter matches. ``asked`` is the filter as it was typed.

    ``total`` letters were selected, within ``bounds``. One that another process has begun ``is_elsewhere``
    while that acts; it has no ``selection`` here.
    """

    verb: str
    who: str
    wanted: Filter
    asked: Mapping[str, str]
    limit: int | None = None
    edits: Sequence[Edit] = ()
    at_once: bool = False
    id: str = field(default_factory=lambda: secrets.token_hex(6))
    began_at: float = field(default_factory=time.time)
    phase: Phase = Phase.LOOKING
    read: int = 0
    to_read: int = 0
    total: int = 0
    selection: Selection | None = None
    bounds: Bounds | None = None
    is_elsewhere: bool = False
    queues: Counter[str] = field(default_factory=Counter)
    paused: Mapping[str, int] = field(default_factory=dict)
    checked: int = 0
    misfits: list[str] = field(default_factory=list)
    misfit_count: int = 0
    rate_per_s: float | None = None
    done_before: int = 0
    resolution: Resolution = field(default_factory=Resolution)
    problem: str | None = None
    #: The number of the log's record with which it last began, as far as this process has gone on with it;
    #: 0 if it never began.
    turn: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def done(self) -> int:
        return self.done_before + self.resolution.done

    @property
    def left(self) -> int:
        return max(0, self.total - self.done)

    @property
    def is_active(self) -> bool:
        return self.phase in {Phase.LOOKING, Phase.WAITING, Phase.ACTING}

    @property
    def can_begin(self) -> bool:
        is_over = self.phase in {Phase.READY, Phase.STOPPED, Phase.FAILED}
        return is_over and self.left > 0 and self.bounds is not None

    @property
    def query(self) -> dict[str, str]:
        """By what a process that does not know it can look anew which letters it is about.

        One that acts at once is not looked for anew, but waited for.
        """
        limit = {"limit": str(self.limit)} if self.limit else {}
        return {"at_once": "yes"} if self.at_once else {"action": self.verb, **limit, **self.asked}

    def seconds(self, rate_per_s: float | None) -> float:
        """How long it takes at that rate."""
        return self.left / (rate_per_s or FULL_RATE)
