"""What `todo-workers dead-letters` does; each function returns the exit status."""

from __future__ import annotations

import heapq
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from . import dead_letter_archive, dead_letter_output, dead_letter_reader, envelope, replay
from .broker import KafkaBroker
from .client import awaited
from .dead_letter_filter import Filter
from .dead_letter_operations import Outcome, Revive, resolve
from .dead_letter_reader import Entry
from .dead_letters import DeadLetter
from .envelope import Record
from .errors import WrongUsage
from .output import console

FAILED, INTERRUPTED = 1, 130
_NEAR_IDS = 3


@dataclass(frozen=True, slots=True)
class Action:
    """What is done with the dead letters that match, and how it is said."""

    verb: str
    done: str
    revive: Revive


@dataclass(frozen=True, slots=True)
class Options:
    """How a replay or a discard goes about it."""

    dry_run: bool = False
    yes: bool = False
    limit: int | None = None
    rate_per_s: float | None = None


def show_list(broker: KafkaBroker, wanted: Filter, *, limit: int, group_by: str | None, as_json: bool) -> int:
    """The newest dead letters, or how many there are of each kind."""
    found = (entry.letter for entry in _matching(broker, wanted, "reading"))
    if group_by:
        counts = Counter(_group(letter, group_by) for letter in found)
        if as_json:
            print(json.dumps(dict(counts.most_common())))  # noqa: T201
        else:
            console().print(dead_letter_output.groups(counts, group_by))
        return 0
    total = 0

    def counted() -> Iterator[DeadLetter]:
        nonlocal total
        for letter in found:
            total += 1
            yield letter

    newest = heapq.nlargest(limit, counted(), key=lambda letter: letter.time_ms)
    if as_json:
        for letter in newest:
            print(json.dumps(dead_letter_output.as_json(letter)))  # noqa: T201
    elif total:
        console().print(dead_letter_output.table(newest))
        if total > len(newest):
            console().print(f"the newest {len(newest)} of {total}; --limit shows more")
    else:
        print("no dead letters" if wanted.is_empty else "no dead letters match")  # noqa: T201
    return 0


def show(broker: KafkaBroker, beginning: str, *, as_json: bool) -> int:
    """All about the dead letter whose id begins like that."""
    matches = [entry.letter for entry in _matching(broker, Filter(ids=(beginning,)), "searching")]
    exact = [letter for letter in matches if letter.id == beginning] or matches
    if len(exact) != 1:
        return _say_not_one(broker, beginning, exact)
    if as_json:
        print(json.dumps(dead_letter_output.as_json(exact[0])))  # noqa: T201
    else:
        console().print(dead_letter_output.details(exact[0]))
    return 0


def replay_all(
    broker: KafkaBroker, wanted: Filter, options: Options, *, to: str | None, edits: Sequence[replay.Edit]
) -> int:
    """Enqueue the jobs of the dead letters that match, again."""
    if to is not None:
        broker.require_queue(to)

    def revive(entry: Entry) -> tuple[str, Record]:
        now_ms = int(time.time() * 1000)
        return replay.revived(entry.letter, broker.topics, now_ms=now_ms, to=to, edits=edits)

    def check(entry: Entry) -> None:
        if edits:
            revived = envelope.decode(revive(entry)[1].value, entry.letter.queue or "")
            replay.check_arguments(broker.get_actor(revived.actor_name).fn, revived)
        else:
            revive(entry)

    return _act(broker, wanted, options, Action("replay", "replayed", revive), check)


def discard_all(broker: KafkaBroker, wanted: Filter, options: Options) -> int:
    """End the dead letters that match; their jobs are lost for good."""
    return _act(broker, wanted, options, Action("discard", "discarded", lambda _: None), lambda _: None)


def export(broker: KafkaBroker, wanted: Filter, file: Path) -> int:
    """Write the dead letters that match into a file, a line each."""
    count = 0
    with file.open("x", encoding="utf-8") as out:
        for count, entry in enumerate(_matching(broker, wanted, "exporting"), 1):  # noqa: B007
            out.write(dead_letter_archive.to_line(entry) + "\n")
    print(f"{count} dead letters written to {file}")  # noqa: T201
    return 0


def import_file(broker: KafkaBroker, file: Path) -> int:
    """Write the dead letters of a file into the topic; those that are there already stay one entry."""
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            _parsed(file, number, line)  # all of it is read before the first is written
    broker.prepare()
    topic = broker.topics.dead_letters
    count = 0
    with file.open(encoding="utf-8") as lines:
        pending = []
        for number, line in enumerate(lines, 1):
            pending.append(broker.producer.send(topic, _parsed(file, number, line)))
            count = number
        for future in pending:
            awaited(future, broker.cluster, f"write to topic {topic}")
    print(f"{count} dead letters read from {file}")  # noqa: T201
    return 0


def _parsed(file: Path, number: int, line: str) -> Record:
    try:
        return dead_letter_archive.from_line(line)
    except WrongUsage as exc:
        raise WrongUsage(f"{file}, line {number}: {exc}; nothing was imported") from exc


def _act(
    broker: KafkaBroker, wanted: Filter, options: Options, action: Action, check: Callable[[Entry], None]
) -> int:
    started_ms = int(time.time() * 1000)
    kinds: Counter[str] = Counter()
    for entry in _limited(_matching(broker, wanted, "reading"), options.limit):
        check(entry)
        letter = entry.letter
        error = dead_letter_output.error(letter) or letter.reason
        kinds[f"{letter.actor or 'no actor'} ({error})"[:100]] += 1
    total = sum(kinds.values())
    if not total:
        return _nothing(broker, wanted)
    _announce(action, kinds, total)
    if options.dry_run:
        print("nothing was changed (--dry-run)")  # noqa: T201
        return 0
    if not options.yes and not _confirmed(action, total):
        print(f"nothing was {action.done}")  # noqa: T201
        return FAILED
    return _resolve(broker, wanted, options, action, total=total, started_ms=started_ms)


def _resolve(
    broker: KafkaBroker, wanted: Filter, options: Options, action: Action, *, total: int, started_ms: int
) -> int:
    outcome = Outcome()
    # What was given up since the question was asked was not part of it.
    found = (e for e in _matching(broker, wanted) if e.letter.time_ms <= started_ms)
    interrupted = False
    with _progress(action.done, total) as advance:
        try:
            resolve(
                broker.producer,
                broker.topics.dead_letters,
                _limited(found, options.limit),
                action.revive,
                outcome,
                rate_per_s=options.rate_per_s,
                progress=advance,
            )
        except KeyboardInterrupt:
            interrupted = True
    print(f"{outcome.done} of {total} dead letters {action.done}")  # noqa: T201
    for letter_id, error in outcome.failures:
        print(f"not {action.done}: {letter_id}: {error}", file=sys.stderr)  # noqa: T201
    if interrupted:
        print(  # noqa: T201
            f"interrupted: run it again for the rest; what was under way may be {action.done} twice, "
            "nothing is lost",
            file=sys.stderr,
        )
        return INTERRUPTED
    return FAILED if outcome.failures else 0


def _announce(action: Action, kinds: Counter[str], total: int) -> None:
    noun = "dead letter" if total == 1 else "dead letters"
    print(f"{total} {noun} to {action.verb}:")  # noqa: T201
    for kind, count in kinds.most_common(10):
        print(f"  {count:>6}  {kind}")  # noqa: T201
    if len(kinds) > 10:
        print(f"          and {len(kinds) - 10} more kinds")  # noqa: T201


def _confirmed(action: Action, total: int) -> bool:
    if not sys.stdin.isatty():
        print(f"to {action.verb} without a question, add --yes", file=sys.stderr)  # noqa: T201
        return False
    return input(f"{action.verb.capitalize()} {total}? [y/N] ").strip().lower() in {"y", "yes"}


def _nothing(broker: KafkaBroker, wanted: Filter) -> int:
    if wanted.ids:
        return _say_not_one(broker, wanted.ids[0], [])
    print("no dead letters match")  # noqa: T201
    return 0


def _say_not_one(broker: KafkaBroker, beginning: str, matches: Sequence[DeadLetter]) -> int:
    if matches:
        ids = ", ".join(letter.id for letter in matches[:_NEAR_IDS])
        print(f"{len(matches)} dead letters begin with {beginning}: {ids} ...", file=sys.stderr)  # noqa: T201
        return FAILED
    everything = (entry.letter.id for entry in _matching(broker, Filter()))
    near = heapq.nlargest(_NEAR_IDS, everything, key=lambda letter_id: _common(letter_id, beginning))
    hint = f"; near ones: {', '.join(near)}" if near else ""
    print(f"no dead letter has the id {beginning}{hint}", file=sys.stderr)  # noqa: T201
    return FAILED


def _common(one: str, other: str) -> int:
    return sum(a == b for a, b in zip(one, other, strict=False))


def _group(letter: DeadLetter, by: str) -> str:
    values = {"actor": letter.actor, "reason": letter.reason, "exception": letter.exception_type}
    return values[by] or "none"


def _limited(entries: Iterator[Entry], limit: int | None) -> Iterator[Entry]:
    for count, entry in enumerate(entries):
        if limit is not None and count >= limit:
            return
        yield entry


def _matching(broker: KafkaBroker, wanted: Filter, doing: str | None = None) -> Iterator[Entry]:
    """The unresolved dead letters that match; a terminal shows progress where ``doing`` says of what."""
    topic = broker.topics.dead_letters
    with _progress(doing, None) as advance:
        for entry in dead_letter_reader.unresolved(broker.cluster, topic, advance):
            if wanted.matches(entry.letter):
                yield entry


@contextmanager
def _progress(doing: str | None, total: int | None) -> Iterator[Callable[[int], object]]:
    terminal = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    disabled = doing is None or not terminal.is_terminal
    with Progress(*columns, console=terminal, transient=True, disable=disabled) as bar:
        task = bar.add_task(doing or "", total=total)
        yield lambda count: bar.advance(task, count)
