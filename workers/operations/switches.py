"""Lifts a switch: ends it, and replays what it holds, in the order in which it came."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ..broker.kafka_broker import KafkaBroker
from ..controls.controls import WAIT_S, Confirmation
from ..dead_letters.filter import Filter
from ..dead_letters.letter import Reason
from ..dead_letters.reader import Advance, Entry
from ..dead_letters.resolving import Resolution
from ..dead_letters.selection import Picked, Search, Selection
from .action_log import WriteAction
from .dead_letters import LetterAction, act, replaying
from .logged import Stopped, write_end
from .logged_runs import LoggedRun
from .turn import Turn, begun

#: The most bytes of jobs that are in memory at once.
_MAX_BYTES = 64 * 1024 * 1024
_HELD = Filter(reason=Reason.HELD)


class Held(NamedTuple):
    """A held job: where its dead letter is, where and when it came, and how large it is."""

    partition: int
    offset: int
    came_in: tuple[str, int]
    came_at: int
    time_ms: int
    size: int


@dataclass(slots=True)
class Lifted:
    """What a lift has done: if not all workers have confirmed, nothing is replayed, as they would hold it.

    ``stopped`` says why the replay ended early, if somebody stopped it or others acted for too long.
    """

    confirmation: Confirmation
    held: int = 0
    resolution: Resolution = field(default_factory=Resolution)
    stopped: str | None = None

    @property
    def is_complete(self) -> bool:
        """Whether all that was held is replayed."""
        is_over = self.confirmation.is_complete and self.problem is None
        return is_over and self.resolution.done == self.held

    @property
    def problem(self) -> str | None:
        """Why the replay ended before the last held job, if it did."""
        away = self.resolution.away
        return self.stopped or (None if away is None else str(away))


def lift(
    broker: KafkaBroker,
    switch_id: str,
    *,
    who: str,
    why: str = "",
    timeout_s: float = WAIT_S,
    progress: Callable[[Confirmation], object] = lambda _: None,
    ignore_silent: bool = False,
    write: WriteAction = lambda *_: None,
    tell: Callable[[LoggedRun], object] = lambda _: None,
    most_s: float | None = None,
) -> Lifted:
    """End a switch, wait until all workers have confirmed that, and replay what it holds.

    If it is interrupted, or not all have confirmed, do it again: what is left is replayed then. Jobs that
    come after the end of the switch may run before those that were held. A worker that is silent has not
    confirmed, unless ``ignore_silent`` says that such ones are dead. ``write`` writes it into the log of
    actions first, and its end; the replay is written there in any case, as a run that others wait for. It
    waits for others that act on dead letters, ``most_s`` seconds at most, and ``tell`` is called with each.
    Raises KafkaUnreachable or NotAuthorized.
    """
    write(who, "lift switch", {"switch": switch_id, "why": why})
    change = broker.controls.lift(switch_id, who=who, why=why)
    found = broker.controls.wait_confirmed(change, timeout_s, progress, ignore_silent=ignore_silent)
    lifted = Lifted(found)
    if lifted.confirmation.is_complete:
        try:
            _replay(broker, switch_id, lifted, who=who, tell=tell, most_s=most_s)
        except Stopped as exc:
            lifted.stopped = str(exc)
        done = {"switch": switch_id, "held": lifted.held, "done": lifted.resolution.done}
        write_end(write, who, "lift switch: replayed", done)
    return lifted


def holding(broker: KafkaBroker) -> set[str]:
    """The ids of the switches that hold jobs, also of those that are lifted. Raises KafkaUnreachable."""
    search = Search(broker.producer, broker.topics.dead_letters)
    return {switch for entry in search.matching(_HELD) if (switch := entry.letter.held_by) is not None}


def _replay(
    broker: KafkaBroker,
    switch_id: str,
    lifted: Lifted,
    *,
    who: str,
    tell: Callable[[LoggedRun], object],
    most_s: float | None,
) -> None:
    lifted.held = sum(1 for _ in _held_by(switch_id, Search(broker.producer, broker.topics.dead_letters)))
    if not lifted.held:
        return
    action = replaying(broker)
    action = replace(action, facts={**action.facts, "switch": switch_id})
    with begun(broker, who, action, _HELD, lifted.resolution, letters=lifted.held) as turn:
        turn.wait_for_others(tell, most_s=most_s)
        search = _search(broker, turn)
        # Those before may have replayed some of what was counted.
        found = list(in_order(map(_held, _held_by(switch_id, search))))
        lifted.held = len(found)
        for some in parts(found):
            _replay_part(broker, search, action, some, resolution=lifted.resolution, turn=turn)
            if lifted.resolution.away is not None:
                return


def _replay_part(
    broker: KafkaBroker,
    search: Search,
    action: LetterAction,
    some: Sequence[Held],
    *,
    resolution: Resolution,
    turn: Turn,
) -> None:
    rank = {(one.partition, one.offset): number for number, one in enumerate(some)}
    act(
        broker,
        search,
        Selection(Picked(one.time_ms, one.partition, one.offset, "", "") for one in sorted(some)),
        action,
        resolution,
        progress=lambda _: turn.pause(0.0),
        wait=turn.pause,
        order=lambda entry: rank[entry.record.partition, entry.record.offset],
    )


def _search(broker: KafkaBroker, turn: Turn) -> Search:
    """A search during which others hear that the run goes on: to read many letters takes minutes."""

    @contextmanager
    def watch(_doing: str) -> Iterator[Advance]:
        yield lambda *_: turn.pause(0.0)

    return Search(broker.producer, broker.topics.dead_letters, watch)


def _held_by(switch_id: str, search: Search) -> Iterator[Entry]:
    entries = search.matching(_HELD)
    return (entry for entry in entries if entry.letter.held_by == switch_id)


def _held(entry: Entry) -> Held:
    letter, record = entry.letter, entry.record
    origin = letter.origin
    return Held(
        record.partition,
        record.offset,
        (origin.topic, origin.partition),
        origin.offset,
        origin.timestamp_ms,
        len(letter.value or b""),
    )


def in_order(held: Iterable[Held]) -> Iterator[Held]:
    """Sort held jobs: those of one partition as they stood there, those of several by their times."""
    by_place: dict[tuple[str, int], list[Held]] = defaultdict(list)
    for one in held:
        by_place[one.came_in].append(one)
    for those in by_place.values():
        those.sort(key=lambda one: one.came_at)
    return heapq.merge(*by_place.values(), key=lambda one: one.time_ms)


def parts(held: Iterable[Held], max_bytes: int = _MAX_BYTES) -> Iterator[list[Held]]:
    """Cut a sequence into parts of at most so many bytes, or of a single job."""
    part: list[Held] = []
    size = 0
    for one in held:
        if part and size + one.size > max_bytes:
            yield part
            part, size = [], 0
        part.append(one)
        size += one.size
    if part:
        yield part
