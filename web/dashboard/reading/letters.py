"""The index of dead letters, built and kept up to date on one thread while somebody looks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext

from workers.broker.kafka_broker import KafkaBroker
from workers.dead_letters.filter import Filter
from workers.dead_letters.index.following import Built, IndexedLetters
from workers.dead_letters.index.lookup import IndexLetters
from workers.dead_letters.index.table import Group, Index, Row
from workers.dead_letters.letter import DeadLetter
from workers.dead_letters.selection import Search, Watch
from workers.errors import WorkersError

from .on_demand import OnDemand, Problem

#: How long one wait for records lasts; others are served between two.
_STEP_MS = 200
#: How many kinds of errors are counted; the pause after a count, as a multiple of the time that it took.
_GROUPS, _COUNT_SHARE = 5, 50
#: How long an action waits for the index to know all that is there.
_CATCH_UP_S = 30.0


class LetterIndex:
    """The dead letters as pages show them: counted, filtered, acted on. For any thread."""

    def __init__(self, broker: KafkaBroker) -> None:
        self._broker = broker
        self._letters = IndexedLetters(broker.cluster, broker.topics.dead_letters)
        self._reading = OnDemand("dashboard.letters", self._follow)
        #: How many letters each queue has, and the most frequent errors. With a million they are counted
        #: every few seconds only, as that takes a tenth of one.
        self.counts: Mapping[str, int] = {}
        self.groups: Sequence[Group] = ()
        #: All letters that there were then are in the index and counted, in seconds since 1970.
        self.read_at = 0.0
        self._is_current = False
        self._counts_made = 0
        self._counted: tuple[bool, int, int] | None = None
        self._count_at = 0.0

    @property
    def problem(self) -> Problem | None:
        return self._reading.problem

    @property
    def is_reading(self) -> bool:
        return self._reading.is_running

    @property
    def built(self) -> Built:
        """How far the index is."""
        return self._letters.built

    @property
    def version(self) -> int:
        """Grows with each change that a viewer would see, and while the index is built."""
        return self._counts_made + (self.index.version if self.built.is_complete else self.built.read)

    @property
    def index(self) -> Index:
        """What is known so far."""
        return self._letters.index

    @property
    def shown(self) -> Index:
        """What lists are made of: while the index is built, the newest letters alone."""
        return self.index if self.built.is_complete else self._letters.newest

    @property
    def is_ready(self) -> bool:
        """Whether there is anything to show."""
        return self._letters.has_newest

    @property
    def is_counted(self) -> bool:
        """Whether there are counts, of the newest letters at least."""
        return self._counted is not None

    def want(self) -> None:
        """Keep the index up to date for a while."""
        self._reading.want()

    def wait_for_first(self, timeout_s: float) -> None:
        """Block until the newest letters are counted or there is a problem, at most so long.

        Those of the last time that somebody looked do not count.
        """
        self._reading.wait_for(lambda: self._is_current, timeout_s)

    def search_quietly(self) -> Search:
        """As :meth:`search`, without progress."""
        return self.search(lambda _doing: nullcontext(lambda *_: None))

    def close(self) -> None:
        self._reading.close()
        self._letters.close()

    def find(self, letter_id: str) -> Row | None:
        """Where the dead letter with this id is."""
        return self.shown.find(letter_id) or self.index.find(letter_id)

    def read(self, row: Row) -> DeadLetter | None:
        """Read a letter; None if it was resolved meanwhile. Blocks. Raises KafkaUnreachable."""
        index = self.shown if self.shown.find(row.id) else self.index
        entries = self._lookup(lambda: index).at({row.partition: [row.offset]})
        return next((entry.letter for entry in entries), None)

    def catch_up(self) -> None:
        """Have the index know all that is in the topic by now, once it is complete. Blocks.

        Raises KafkaUnreachable.
        """
        if self.built.is_complete:
            caught_up = self._reading.call(self._letters.catch_up)
            try:
                caught_up.result(_CATCH_UP_S)
            except TimeoutError as exc:
                raise WorkersError(
                    f"the index of dead letters is not up to date after {_CATCH_UP_S:g} s"
                ) from exc

    def search(self, watch: Watch) -> Search:
        """A search that finds letters by the index once that is complete, else by reading the topic."""
        broker = self._broker
        letters = self._lookup(lambda: self.index) if self.built.is_complete else None
        return Search(broker.producer, broker.topics.dead_letters, watch, letters=letters)

    def _lookup(self, index: Callable[[], Index]) -> IndexLetters:
        return IndexLetters(self._broker.cluster, self._broker.topics.dead_letters, index)

    def _count(self) -> None:
        """Count anew after a change, for a fiftieth of the time at most; at once when the index is built."""
        if not self.is_ready:
            return
        right_at = self._letters.right_at if self.built.is_complete else None
        shown, began = self.shown, time.monotonic()
        version = (shown is self.index, shown.version, self.index.version)
        if version == self._counted:
            self.read_at = right_at or self.read_at
        is_first = self._counted is None or version[0] != self._counted[0]
        if version == self._counted or (began < self._count_at and not is_first):
            return
        self.counts, self.groups = self.index.counts(), shown.groups(Filter(), _GROUPS)
        self._counted = version
        self._counts_made += 1
        self._count_at = time.monotonic() + _COUNT_SHARE * (time.monotonic() - began)

    @contextmanager
    def _follow(self) -> Iterator[Callable[[], float]]:
        with self._letters as letters:
            self._count_at = 0.0
            self._count()
            self._is_current = True

            def step() -> float:
                has_news = letters.step(_STEP_MS)
                self._count()
                # A topic that does not exist yet has no partition that could be waited for.
                return 0.0 if has_news or letters.has_topic else 1.0

            try:
                yield step
            finally:
                self._is_current = False
