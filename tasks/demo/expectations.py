"""Compares what was seen with what the script wants, and sums up how long it took. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .progress import Effect, Progress
from .scenario import DEFERRALS, Kind, Operate, Publish, Remind, Step, Wanted, WriteRecord

#: Goals, in milliseconds. They are shown next to the figures and not checked, as they depend on the machine.
PUBLISH_GOAL_MS = 100
EFFECT_GOAL_MS = 5_000
LATENESS_GOAL_MS = 1_000

_NONE = "none"


@dataclass(frozen=True, slots=True)
class Expectation:
    """One checked statement about the run."""

    name: str
    expected: str
    seen: str
    ok: bool


@dataclass(frozen=True, slots=True)
class Timing:
    """The median and the worst of some durations, and their goal, in milliseconds."""

    median: float
    worst: float
    goal: float


def check(progress: Progress, *, jobs_left: int) -> list[Expectation]:
    """Compare what was seen with what the script wants; ``jobs_left`` still wait in the queues."""
    return [
        *_mails(progress),
        *_attempts(progress),
        *_never_early(progress),
        *_rows(progress),
        *_letters(progress),
        _equal("anything else", _NONE, _joined(f"{stray.kind} {stray.says}" for stray in progress.strays)),
        _equal("jobs left in queues", "0", str(jobs_left)),
    ]


def timings(progress: Progress) -> dict[str, Timing]:
    """Sum up three durations.

    ``publish_ms`` is how long `tasks.publish` took, ``effect_ms`` the time from its call to each effect that
    nothing delays on purpose, and ``late_ms`` the time from the due time of a reminder to its mail.
    """
    published = [step for step in progress.steps if isinstance(step.action, Publish)]
    took = [done.took_ms for step in published for done in progress.publications(step)]
    prompt = [s for s in progress.steps if s.waits and isinstance(s.action, Publish | WriteRecord)]
    reminders = [step for step in progress.steps if isinstance(step.action, Remind)]
    return {
        "publish_ms": _timing(took, PUBLISH_GOAL_MS),
        "effect_ms": _timing(_elapsed(progress, prompt), EFFECT_GOAL_MS),
        "late_ms": _timing(_elapsed(progress, reminders), LATENESS_GOAL_MS),
    }


def _elapsed(progress: Progress, steps: Iterable[Step]) -> list[float]:
    return [progress.elapsed_ms(step, effect) for step in steps for effect in progress.effects(step)]


def _mails(progress: Progress) -> Iterator[Expectation]:
    for step in progress.steps:
        if isinstance(step.action, WriteRecord | Operate):
            continue
        owner = step.action.event.todo.owner.email
        mails = progress.effects(step, Kind.MAIL)
        # The recipient is named unless it is the owner.
        seen = [mail.says if mail.detail == owner else f"{mail.says} to {mail.detail}" for mail in mails]
        wanted = next((wanted for wanted in step.wanted if wanted.kind is Kind.MAIL), None)
        yield _equal(f"mail, {step.label}", wanted.says if wanted else _NONE, _joined(seen))
        if wanted and wanted.holds:
            yield _escaped(step, mails, wanted)


def _escaped(step: Step, mails: list[Effect], wanted: Wanted) -> Expectation:
    assert not isinstance(step.action, WriteRecord | Operate)
    raw = step.action.event.todo.title
    pages = [mail.content.decode() for mail in mails]
    right = bool(pages) and all(wanted.holds in page and raw not in page for page in pages)
    seen = "escaped" if right else "not escaped" if pages else _NONE
    return Expectation(f"HTML part, {step.label}", "escaped", seen, right)


def _attempts(progress: Progress) -> Iterator[Expectation]:
    for step in progress.steps:
        refused = len(progress.effects(step, Kind.DEFERRAL))
        if refused or not step.waits:
            sent = bool(progress.effects(step, Kind.MAIL))
            seen = f"{refused} failed" + (", then sent" if sent else "")
            yield _equal(f"attempts, {step.label}", f"{DEFERRALS} failed, then sent", seen)


def _never_early(progress: Progress) -> Iterator[Expectation]:
    for step in progress.steps:
        if isinstance(step.action, Remind):
            due = step.action.due.timestamp()
            seen = ["early" if mail.at < due else "not early" for mail in progress.effects(step, Kind.MAIL)]
            yield _equal(f"due time, {step.label}", "not early", _joined(seen))


def _rows(progress: Progress) -> Iterator[Expectation]:
    counts = [
        (step, sum(row.says == step.action.event.type for row in progress.effects(step, Kind.ROW)))
        for step in progress.steps
        if isinstance(step.action, Publish)
    ]
    expected = f"{len(counts)} events, 1 row each"
    wrong = [f"{step.label}: {count}" for step, count in counts if count != 1]
    yield Expectation("audit rows", expected, "; ".join(wrong) or expected, not wrong)
    for step, count in counts:
        if isinstance(step.action, Publish) and step.action.times > 1:
            yield _equal(f"audit rows, {step.label}", "1", str(count))


def _letters(progress: Progress) -> Iterator[Expectation]:
    for step in progress.steps:
        letters = progress.effects(step, Kind.LETTER)
        wanted = next((wanted for wanted in step.wanted if wanted.kind is Kind.LETTER), None)
        if wanted:
            yield _letter(step, letters, wanted)
        elif letters:
            yield _equal(f"dead letter, {step.label}", _NONE, _joined(map(_in_full, letters)))


def _letter(step: Step, letters: list[Effect], wanted: Wanted) -> Expectation:
    if isinstance(step.action, WriteRecord):
        value, promise = step.action.value, "bytes untouched"
        kept = [letter.content == value for letter in letters]
    else:
        promise = f"{wanted.holds} in its error"
        kept = [wanted.holds in letter.detail for letter in letters]
    seen = (
        f"{letter.says}, {promise}" if right else _in_full(letter)
        for letter, right in zip(letters, kept, strict=True)
    )
    return _equal(f"dead letter, {step.label}", f"{wanted.says}, {promise}", _joined(seen))


def _in_full(letter: Effect) -> str:
    return f"{letter.says}: {letter.detail} ({len(letter.content)} bytes)"


def _equal(name: str, expected: str, seen: str) -> Expectation:
    return Expectation(name, expected, seen, expected == seen)


def _joined(texts: Iterable[str]) -> str:
    return "; ".join(texts) or _NONE


def _timing(values: list[float], goal: float) -> Timing:
    if not values:
        return Timing(0.0, 0.0, goal)
    return Timing(round(statistics.median(values), 1), round(max(values), 1), goal)
