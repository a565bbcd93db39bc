"""`todo-workers dead-letters replay` and `discard`; each function returns the exit status.

A first pass finds the dead letters and names them; after the confirmation a second one acts on exactly those
and on none that came meanwhile.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ...broker.kafka_broker import KafkaBroker
from ...dead_letters.edits import Edit
from ...dead_letters.filter import Filter
from ...dead_letters.resolving import Resolution
from ...dead_letters.selection import Search, Selection
from ...display.progress import counting, progress
from ...errors import WrongUsage
from ...operations.dead_letters import LetterAction, act, discarding, replaying
from ...operations.logged import Busy, Stopped
from ...operations.turn import begun
from ...runtime.interrupts import INTERRUPTED, was_interrupted
from ..terminal import complain, console, visible
from ..who import tell_of
from .shared_options import Options

FAILED = 1
#: The most kinds of dead letters that are counted one by one, and the most missing ids that are named.
_NAMED = 10


def replay_all(
    broker: KafkaBroker, wanted: Filter, options: Options, *, to: str | None, edits: Sequence[Edit]
) -> int:
    """Enqueue again the jobs of the dead letters that match."""
    return _act(broker, wanted, options, replaying(broker, to=to, edits=edits))


def discard_all(broker: KafkaBroker, wanted: Filter, options: Options) -> int:
    """End the dead letters that match; their jobs are lost for good."""
    return _act(broker, wanted, options, discarding())


def _act(broker: KafkaBroker, wanted: Filter, options: Options, action: LetterAction) -> int:
    if not options.yes and not options.dry_run and not _can_ask():
        raise WrongUsage(f"nobody can be asked here: add --yes to {action.verb}, or --dry-run to look")
    search = Search(broker.producer, broker.topics.dead_letters, progress)
    selection = search.select(wanted, options.limit, action.problem_of)
    for text in search.not_found(*selection.missing[:_NAMED]) if selection.missing else ():
        complain(text)
    if not selection.total:
        print("no dead letters match")
        return 0
    announce(action, selection)
    if options.dry_run:
        print(f"nothing was {action.done} (--dry-run)")
        return FAILED if selection.missing else 0
    if not options.yes and not _confirmed(action, selection.total):
        print(f"nothing was {action.done}")
        return FAILED
    status = _do(broker, search, selection, action, options=options, wanted=wanted)
    return status or (FAILED if selection.missing else 0)


def announce(action: LetterAction, selection: Selection, *, most: int = _NAMED) -> None:
    """Say what would be done: a few dead letters by their ids, many by their ``most`` frequent kinds."""
    print(f"{_dead_letters(selection.total)} to {action.verb}:")
    if selection.total <= len(selection.named):
        lines = [f"  {visible(one.id)}  {visible(one.kind)}" for one in selection.named]
    else:
        kinds = selection.kinds.most_common(most)
        lines = [f"  {count:>6}  {visible(kind)}" for kind, count in kinds]
        if others := selection.total - sum(count for _, count in kinds):
            lines.append(f"  {others:>6}  of other kinds")
    width = console().width
    for line in lines:
        print(line if len(line) <= width else line[: width - 3] + "...")


def _can_ask() -> bool:
    return sys.stdin.isatty()


def _confirmed(action: LetterAction, total: int) -> bool:
    try:
        answer = input(f"{action.verb.capitalize()} {total}? [y/N] ")
    except (EOFError, KeyboardInterrupt):
        print()
        return False
    return answer.strip().lower() in {"y", "yes"}


def _dead_letters(count: int) -> str:
    return f"{count} dead letter" if count == 1 else f"{count} dead letters"


def _do(
    broker: KafkaBroker,
    search: Search,
    selection: Selection,
    action: LetterAction,
    *,
    options: Options,
    wanted: Filter,
) -> int:
    resolution = Resolution()
    stopped, is_waiting = None, True
    try:
        with begun(broker, options.who, action, wanted, resolution, letters=selection.total) as turn:
            turn.wait_for_others(tell_of, most_s=options.wait_s)
            is_waiting = False
            with counting(action.verb, selection.total) as count:

                def advance(done: int) -> None:
                    count(done)
                    turn.pause(0.0)

                act(
                    broker,
                    search,
                    selection,
                    action,
                    resolution,
                    rate_per_s=options.rate_per_s,
                    progress=advance,
                    wait=turn.pause,
                )
    except (KeyboardInterrupt, RuntimeError) as exc:
        if not was_interrupted(exc):
            raise
        stopped = "interrupted"
    except Busy as exc:
        complain(f"nothing was {action.done}: {exc}, and --wait is over; run it again later")
        return FAILED
    except Stopped as exc:
        stopped = str(exc)
    if is_waiting:
        complain(f"{stopped} while it waited for others; nothing was {action.done}")
        return INTERRUPTED
    return _summary(action, selection.total, resolution, stopped)


def _summary(action: LetterAction, total: int, resolution: Resolution, stopped: str | None) -> int:
    print(f"{resolution.done} of {_dead_letters(total)} {action.done}")
    for letter_id, error in resolution.failures:
        complain(f"not {action.done}: {letter_id}: {error}")
    if resolution.failed > len(resolution.failures):
        complain(f"and {resolution.failed - len(resolution.failures)} more not {action.done}")
    if stopped or resolution.away is not None:
        cause = stopped or f"stopped, {resolution.away}"
        if resolution.can_go_on:
            complain(f"{cause}; run it again for the rest: a job may run twice, none is lost")
        else:
            complain(f"{cause}; mend that first: each time it is run before, some jobs may run once more")
        return INTERRUPTED if stopped else FAILED
    if others := total - resolution.done - resolution.failed:
        complain(f"{others} changed meanwhile: replayed or discarded by somebody else, or failed again")
    return FAILED if resolution.failed else 0
