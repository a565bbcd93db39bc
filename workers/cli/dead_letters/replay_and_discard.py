"""`todo-workers dead-letters replay` and `discard`; each function returns the exit status.

A first look finds what is meant and says it; after the confirmation a second one does it, to exactly those
dead letters and to none that came meanwhile.
"""

from __future__ import annotations

import heapq
import sys
import time
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from dramatiq.errors import ActorNotFound

from ...broker.kafka_broker import KafkaBroker
from ...dead_letters import reader as dead_letter_reader
from ...dead_letters.edits import Edit, check_arguments
from ...dead_letters.filter import Filter
from ...dead_letters.reader import Entry
from ...dead_letters.replay import revived
from ...dead_letters.resolving import Resolution, Revive, resolve
from ...errors import KafkaUnreachable, UnknownQueue, WorkersError, WrongUsage
from ...records import envelope
from ...records.envelope import Record
from ..terminal import console, progress, visible
from . import tables as dead_letter_output
from .search import matching, not_found

FAILED, INTERRUPTED = 1, 130
#: So many dead letters are named one by one, more are counted by their kind.
_NAMED = 10
#: Kinds that are counted, each of some 200 bytes: an error may name something else each time.
_KINDS = 1_000
#: Ids that begin alike, of which so many are kept to be told.
_SIMILAR = 4


@dataclass(frozen=True, slots=True)
class Action:
    """What is done with the dead letters that are meant, and how it is said.

    ``check`` raises WrongUsage where it cannot be done to one: then it is done to none.
    """

    verb: str
    done: str
    revive: Revive
    check: Callable[[Entry], object] = lambda _: None


@dataclass(frozen=True, slots=True)
class Options:
    """How a replay or a discard goes about it."""

    dry_run: bool = False
    yes: bool = False
    limit: int | None = None
    rate_per_s: float | None = None


class _Found(NamedTuple):
    """A dead letter that matches. ``problem``: why it cannot be done to it."""

    time_ms: int
    partition: int
    offset: int
    id: str
    kind: str
    problem: str | None


class _Meant:
    """The dead letters that are meant: 8 bytes for each, and what is said about them."""

    def __init__(self, found: Iterable[_Found]) -> None:
        """``found`` comes in the order of the log. Raises WrongUsage for a problem."""
        self.total = 0
        self.kinds: Counter[str] = Counter()
        self.named: list[_Found] = []
        self._offsets: dict[int, array[int]] = {}
        for one in found:
            if one.problem is not None:
                raise WrongUsage(f"dead letter {one.id}: {one.problem}; nothing was done")
            self.total += 1
            if one.kind in self.kinds or len(self.kinds) < _KINDS:
                self.kinds[one.kind] += 1
            self._offsets.setdefault(one.partition, array("q")).append(one.offset)
            if len(self.named) < _NAMED:
                self.named.append(one)

    def __contains__(self, entry: Entry) -> bool:
        offsets = self._offsets.get(entry.record.partition, ())
        at = bisect_left(offsets, entry.record.offset)
        return at < len(offsets) and offsets[at] == entry.record.offset


def replay_all(
    broker: KafkaBroker, wanted: Filter, options: Options, *, to: str | None, edits: Sequence[Edit]
) -> int:
    """Enqueue the jobs of the dead letters that match, again."""
    if to is not None:
        _require_queue(broker, to)

    def revive(entry: Entry) -> tuple[str, Record]:
        letter = entry.letter
        if to is None and letter.queue:
            broker.require_queue(letter.queue)
        return revived(letter, broker.topics, now_ms=int(time.time() * 1000), to=to, edits=edits)

    def check(entry: Entry) -> None:
        if to is None and not edits:
            return
        _, record = revived(entry.letter, broker.topics, now_ms=0, to=to, edits=edits)
        message = envelope.decode(record.value, entry.letter.queue or "")
        if edits:
            check_arguments(_function(broker, message.actor_name), message)

    broker.prepare()
    return _act(broker, wanted, options, Action("replay", "replayed", revive, check))


def discard_all(broker: KafkaBroker, wanted: Filter, options: Options) -> int:
    """End the dead letters that match; their jobs are lost for good."""
    return _act(broker, wanted, options, Action("discard", "discarded", lambda _: None))


def _require_queue(broker: KafkaBroker, queue: str) -> None:
    try:
        broker.require_queue(queue)
    except UnknownQueue as exc:
        raise WrongUsage(str(exc)) from exc


def _function(broker: KafkaBroker, actor: str) -> Callable[..., Any]:
    try:
        return broker.get_actor(actor).fn
    except ActorNotFound as exc:
        raise WrongUsage(f"there is no actor {actor}, so its arguments cannot be checked") from exc


def _act(broker: KafkaBroker, wanted: Filter, options: Options, action: Action) -> int:
    if not options.yes and not options.dry_run and not _can_ask():
        raise WrongUsage(f"nobody can be asked here: add --yes to {action.verb}, or --dry-run to look")
    missing: list[str] = []
    meant = _Meant(_find(broker, wanted, options.limit, action, missing))
    for text in not_found(broker, *missing[:_NAMED]) if missing else ():
        _say(text)
    if not meant.total:
        print("no dead letters match")  # noqa: T201
        return 0
    _announce(action, meant)
    if options.dry_run:
        print(f"nothing was {action.done} (--dry-run)")  # noqa: T201
        return FAILED if missing else 0
    if not options.yes and not _confirmed(action, meant.total):
        print(f"nothing was {action.done}")  # noqa: T201
        return FAILED
    return _do(broker, options, action, meant) or (FAILED if missing else 0)


# -- the first look


def _find(
    broker: KafkaBroker, wanted: Filter, limit: int | None, action: Action, missing: list[str]
) -> Iterable[_Found]:
    """``missing`` gets the ids that no dead letter has, where others are there."""
    entries: Iterable[Entry] = matching(broker, wanted, "reading")
    if wanted.ids:
        entries = _one_for_each(broker, wanted.ids, entries, missing)
    found = (_found(entry, action) for entry in entries)
    if limit is None:
        return found
    oldest = heapq.nsmallest(limit, found, key=lambda one: one.time_ms)
    return sorted(oldest, key=lambda one: (one.partition, one.offset))


def _found(entry: Entry, action: Action) -> _Found:
    letter, record = entry.letter, entry.record
    problem = None
    try:
        action.check(entry)
    except WrongUsage as exc:
        problem = str(exc)
    return _Found(
        letter.time_ms, record.partition, record.offset, letter.id, dead_letter_output.kind(letter), problem
    )


def _one_for_each(
    broker: KafkaBroker, beginnings: Sequence[str], entries: Iterable[Entry], missing: list[str]
) -> list[Entry]:
    """The dead letter with each id, or with the only id that begins so, in the order of the log.

    ``missing`` gets those that have none: done before this was interrupted and called again, maybe. Raises
    WorkersError where none of them has one, WrongUsage where one has several.
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
            raise WrongUsage(dead_letter_output.ambiguous(beginning, sorted(those)))
        entry = those.get(beginning) or next(iter(those.values()))
        chosen[entry.record.partition, entry.record.offset] = entry
    if not chosen:
        raise WorkersError(*not_found(broker, beginnings[0]))
    return [chosen[place] for place in sorted(chosen)]


# -- what is said


def _announce(action: Action, meant: _Meant) -> None:
    print(f"{_dead_letters(meant.total)} to {action.verb}:")  # noqa: T201
    if meant.total <= _NAMED:
        lines = [f"  {visible(one.id)}  {one.kind}" for one in meant.named]
    else:
        most = meant.kinds.most_common(_NAMED)
        lines = [f"  {count:>6}  {kind}" for kind, count in most]
        if others := meant.total - sum(count for _, count in most):
            lines.append(f"  {others:>6}  of other kinds")
    width = console().width
    for line in lines:
        print(line if len(line) <= width else line[: width - 3] + "...")  # noqa: T201


def _can_ask() -> bool:
    return sys.stdin.isatty()


def _confirmed(action: Action, total: int) -> bool:
    try:
        answer = input(f"{action.verb.capitalize()} {total}? [y/N] ")
    except (EOFError, KeyboardInterrupt):
        print()  # noqa: T201
        return False
    return answer.strip().lower() in {"y", "yes"}


def _dead_letters(count: int) -> str:
    return f"{count} dead letter" if count == 1 else f"{count} dead letters"


# -- the second look


def _do(broker: KafkaBroker, options: Options, action: Action, meant: _Meant) -> int:
    outcome = Resolution()
    topic = broker.topics.dead_letters
    interrupted = False
    with progress(action.verb) as advance:
        handled = 0

        def count(more: int) -> None:
            nonlocal handled
            handled += more
            advance(handled, meant.total)

        entries = (entry for entry in dead_letter_reader.unresolved(broker.cluster, topic) if entry in meant)
        try:
            resolve(
                broker.producer,
                topic,
                entries,
                action.revive,
                outcome,
                rate_per_s=options.rate_per_s,
                progress=count,
            )
        except KeyboardInterrupt:
            interrupted = True
        except KafkaUnreachable as exc:
            outcome.away = exc
    return _summary(action, meant.total, outcome, interrupted=interrupted)


def _summary(action: Action, total: int, outcome: Resolution, *, interrupted: bool) -> int:
    print(f"{outcome.done} of {_dead_letters(total)} {action.done}")  # noqa: T201
    for letter_id, error in outcome.failures:
        _say(f"not {action.done}: {letter_id}: {error}")
    if outcome.failed > len(outcome.failures):
        _say(f"and {outcome.failed - len(outcome.failures)} more not {action.done}")
    if interrupted or outcome.away is not None:
        cause = "interrupted" if interrupted else f"stopped, {outcome.away}"
        _say(f"{cause}; run it again for the rest: a job may run twice, none is lost")
        return INTERRUPTED if interrupted else FAILED
    if others := total - outcome.done - outcome.failed:
        _say(f"{others} changed meanwhile: replayed or discarded by somebody else, or failed again")
    return FAILED if outcome.failed else 0


def _say(text: str) -> None:
    print(visible(text), file=sys.stderr)  # noqa: T201
