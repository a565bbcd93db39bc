"""Selects dead letters: those that a filter matches, or that ids and beginnings of ids name.

It reads and prints nothing, so that a command and a page can use it alike.
"""

from __future__ import annotations

import heapq
import logging
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple, Protocol

from ..errors import WorkersError, WrongUsage
from ..kafka.producing.producer import DurableProducer
from .filter import Filter
from .letter import DeadLetter
from .reader import Advance, Entry, unresolved
from .resolving import Resolution, resolve

logger = logging.getLogger(__name__)

#: The most ids that are suggested.
_NEAR_IDS = 3
#: How many of the ids that begin alike are kept to be named.
_SIMILAR = 4
#: How many letters that were resolved in a wrong partition are kept before they are resolved once more.
_ENDED_AT_ONCE = 200
#: Longest text of a kind of dead letters.
_MAX_KIND_CHARS = 100

#: Called with a name of the work; returns the function that takes its progress. A command shows a bar.
Watch = Callable[[str], AbstractContextManager[Advance]]


class Picked(NamedTuple):
    """A dead letter that was selected. ``problem``: why the action is impossible for it."""

    time_ms: int
    partition: int
    offset: int
    id: str
    kind: str
    problem: str | None = None


class Bounds(NamedTuple):
    """The end of a selection, by which whoever has its filter can make it again: what came since is beyond.

    ``last`` is the last offset of each partition, ``newest`` the time, partition and offset of the letter
    that comes last by its time: a selection of the oldest ones ends there.
    """

    last: Mapping[int, int]
    newest: tuple[int, int, int]

    def hold(self, entry: Entry) -> bool:
        """Whether a letter that matches was in the selection."""
        place = (entry.record.partition, entry.record.offset)
        return place[1] <= self.last.get(place[0], -1) and (entry.letter.time_ms, *place) <= self.newest


class Selection:
    """The dead letters that one pass has selected: 8 bytes for each, and those that are named or counted."""

    def __init__(
        self,
        picked: Iterable[Picked],
        missing: Sequence[str] = (),
        *,
        keep_named: int = 10,
        keep_kinds: int = 1_000,
    ) -> None:
        """``picked`` comes in the order of the log; ``missing`` are ids that no dead letter has.

        The first ``keep_named`` are kept to be named. Of the kinds, which take some 200 bytes each, the first
        ``keep_kinds`` are counted. Raises WrongUsage for a problem.
        """
        self.total = 0
        self.kinds: Counter[str] = Counter()
        self.named: list[Picked] = []
        self.missing = missing
        self._offsets: dict[int, array[int]] = {}
        self._newest = (-1, -1, -1)
        for one in picked:
            if one.problem is not None:
                raise WrongUsage(f"dead letter {one.id}: {one.problem}; nothing was done")
            self.total += 1
            if one.kind in self.kinds or len(self.kinds) < keep_kinds:
                self.kinds[one.kind] += 1
            self._offsets.setdefault(one.partition, array("q")).append(one.offset)
            self._newest = max(self._newest, (one.time_ms, one.partition, one.offset))
            if len(self.named) < keep_named:
                self.named.append(one)

    @property
    def places(self) -> Mapping[int, Sequence[int]]:
        """The ascending offsets of the letters by partition."""
        return self._offsets

    @property
    def bounds(self) -> Bounds:
        """Where it ends; right until :meth:`forget_places`."""
        return Bounds({partition: offsets[-1] for partition, offsets in self._offsets.items()}, self._newest)

    def forget_places(self) -> None:
        """Free the memory of each letter, once nothing is to be done to them any more."""
        self._offsets.clear()

    def __contains__(self, entry: Entry) -> bool:
        offsets = self._offsets.get(entry.record.partition, ())
        at = bisect_left(offsets, entry.record.offset)
        return at < len(offsets) and offsets[at] == entry.record.offset


class Letters(Protocol):
    """Where a search finds dead letters other than by reading the whole topic, such as by an index of it."""

    def matching(self, wanted: Filter, progress: Advance) -> Iterator[Entry]:
        """The unresolved letters that match, in the order of the log's partitions."""

    def at(self, places: Mapping[int, Sequence[int]], progress: Advance) -> Iterator[Entry]:
        """Those of the letters at ascending offsets of partitions that are unresolved and unchanged."""


class Search:
    """Looks dead letters up. Every method reads all of their topic, unless it is told where to find them.

    Every method raises KafkaUnreachable.
    """

    def __init__(
        self,
        producer: DurableProducer,
        topic: str,
        watch: Watch = lambda _doing: nullcontext(lambda *_: None),
        *,
        letters: Letters | None = None,
    ) -> None:
        """``producer`` is used for letters that were resolved in a wrong partition alone.

        ``letters`` are looked up instead of reading the topic.
        """
        self._producer = producer
        self._cluster = producer.cluster
        self._topic = topic
        self._watch = watch
        self._letters = letters

    def matching(self, wanted: Filter, doing: str = "reading") -> Iterator[Entry]:
        """The unresolved dead letters that match, one at a time, in the order of the log's partitions."""
        if self._letters is not None:
            with self._watch(doing) as advance:
                yield from self._letters.matching(wanted, advance)
            return
        ended: list[Entry] = []

        def end_again(entry: Entry) -> None:
            ended.append(entry)
            if len(ended) == _ENDED_AT_ONCE:
                self._end_again(ended)

        with self._watch(doing) as advance:
            for entry in unresolved(self._cluster, self._topic, advance, end_again):
                if wanted.matches(entry.letter):
                    yield entry
        self._end_again(ended)

    def _end_again(self, ended: list[Entry]) -> None:
        """Resolve letters in their own partition too, as the tombstone in a wrong one does not last."""
        result = Resolution()
        resolve(self._producer, self._topic, ended, lambda _: (), result)
        if result.failures:
            logger.warning(
                "dead letters not resolved in their own partition, they come back when Kafka removes the "
                "tombstones in others count=%d: %s",
                len(ended) - result.done,
                result.failures[0][1],
            )
        ended.clear()

    def similar(self, beginning: str) -> list[DeadLetter]:
        """The dead letter with that id, or else some whose ids begin like that."""
        found = (entry.letter for entry in self.matching(Filter(ids=(beginning,)), "searching"))
        some = heapq.nsmallest(_SIMILAR, found, key=lambda letter: letter.id != beginning)
        return some[:1] if some and some[0].id == beginning else some

    def select(
        self,
        wanted: Filter,
        limit: int | None,
        problem_of: Callable[[Entry], str | None],
        *,
        within: Bounds | None = None,
    ) -> Selection:
        """Pick the dead letters that match: with a ``limit`` the oldest ones, with ids one for each id.

        Within the bounds of an earlier selection, what is left of that.

        ``problem_of`` says why the action is impossible for one: then it is done to none. Raises WrongUsage
        for a problem, or if an id is the beginning of several; WorkersError if no id is known.
        """
        missing: list[str] = []
        entries: Iterable[Entry] = self.matching(wanted)
        if within is not None:
            entries = filter(within.hold, entries)
        if wanted.ids:
            entries = self._one_for_each(wanted.ids, entries, missing)
        picked: Iterable[Picked] = (_picked(entry, problem_of(entry)) for entry in entries)
        if limit is not None:
            oldest = heapq.nsmallest(limit, picked, key=lambda one: one.time_ms)
            picked = sorted(oldest, key=lambda one: (one.partition, one.offset))
        return Selection(picked, missing)

    def chosen(self, selection: Selection, progress: Advance = lambda *_: None) -> Iterator[Entry]:
        """The dead letters of a selection as they are now: none that came or changed since.

        ``progress`` is called while they are read: before the first one comes, that may take minutes.
        """
        if self._letters is not None:
            return self._letters.at(selection.places, progress)
        return (entry for entry in unresolved(self._cluster, self._topic, progress) if entry in selection)

    def not_found(self, *beginnings: str) -> list[str]:
        """Say for each beginning that no dead letter's id has it, and which ids are near."""
        near: dict[str, list[str]] = {beginning: [] for beginning in beginnings}
        for entry in self.matching(Filter(), "searching"):
            for beginning, those in near.items():
                those[:] = nearest(beginning, [*those, entry.letter.id])
        return [
            f"no dead letter has the id {beginning}" + (f"; near ones: {', '.join(those)}" if those else "")
            for beginning, those in near.items()
        ]

    def _one_for_each(
        self, beginnings: Sequence[str], entries: Iterable[Entry], missing: list[str]
    ) -> list[Entry]:
        """The dead letter with each id, or with the only id that begins so, in the order of the log.

        ``missing`` gets the ids that no dead letter has: an earlier, interrupted call may have resolved them.
        """
        found: dict[str, dict[str, Entry]] = {beginning: {} for beginning in beginnings}
        for entry in entries:
            letter_id = entry.letter.id
            for beginning, those in found.items():
                if letter_id == beginning or (letter_id.startswith(beginning) and len(those) < _SIMILAR):
                    those[letter_id] = entry
        chosen = {}
        for beginning, those in found.items():
            if not those:
                missing.append(beginning)
                continue
            if len(those) > 1 and beginning not in those:
                raise WrongUsage(ambiguous(beginning, sorted(those)))
            entry = those.get(beginning) or next(iter(those.values()))
            chosen[entry.record.partition, entry.record.offset] = entry
        if not chosen:
            (text,) = self.not_found(beginnings[0])
            raise WorkersError(text)
        return [chosen[place] for place in sorted(chosen)]


def ambiguous(beginning: str, ids: Sequence[str]) -> str:
    """Say that several ids begin like that."""
    return f"several dead letters begin with {beginning}: {', '.join(ids[:3])} ...; give the whole id"


def nearest(wanted: str, ids: Iterable[str]) -> list[str]:
    """The ids that differ from ``wanted`` in one place: beginning and end are equal for more than half of it.

    There may be very many ids: this is a hundred times as quick as a general likeness.
    """
    near = ((likeness, one) for one in ids if (likeness := _likeness(wanted, one)) > len(wanted) / 2)
    return [one for _, one in heapq.nlargest(_NEAR_IDS, near)]


def _likeness(one: str, other: str) -> int:
    """How many characters both begin with, and both end with."""
    shorter = min(len(one), len(other))
    begin = next((at for at in range(shorter) if one[at] != other[at]), shorter)
    end = next((at for at in range(shorter - begin) if one[-1 - at] != other[-1 - at]), shorter - begin)
    return begin + end


def _picked(entry: Entry, problem: str | None) -> Picked:
    letter, record = entry.letter, entry.record
    kind = f"{letter.actor or 'no actor'} ({letter.error or letter.reason})"[:_MAX_KIND_CHARS]
    return Picked(letter.time_ms, record.partition, record.offset, letter.id, kind, problem)
