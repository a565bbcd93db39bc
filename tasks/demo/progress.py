"""Keeps what was published and which effects were seen so far. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .scenario import Kind, Step


@dataclass(frozen=True, slots=True)
class Publication:
    """An action that is done: when it began, in seconds since the epoch, and how long it took.

    A reminder has the time at which it was due.
    """

    at: float
    took_ms: float


@dataclass(frozen=True, slots=True)
class Effect:
    """An effect of the workers, seen from outside at ``at``, in seconds since the epoch.

    ``says`` is as in `Wanted`; ``detail`` is the row's number, the mail's recipient, the dead letter's error.
    ``content`` is the HTML part of a mail, or the value of a dead letter.
    """

    kind: Kind
    mark: str
    at: float
    says: str
    detail: str
    content: bytes = b""


class Progress:
    """The steps of a script with what is known about each."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self.steps = tuple(steps)
        self.strays: list[Effect] = []
        self._publications: dict[str, list[Publication]] = {step.label: [] for step in self.steps}
        self._effects: dict[str, list[Effect]] = {step.label: [] for step in self.steps}

    def published(self, step: Step, publication: Publication) -> None:
        self._publications[step.label].append(publication)

    def saw(self, effect: Effect) -> None:
        steps = [step for step in self.steps if effect.mark in step.action.marks]
        # A mail that comes only after a replay has the mark of the one that was refused.
        wanting = [step for step in steps if any(wanted.kind is effect.kind for wanted in step.wanted)]
        if steps:
            self._effects[(wanting or steps)[0].label].append(effect)
        else:
            self.strays.append(effect)

    def publications(self, step: Step) -> list[Publication]:
        return self._publications[step.label]

    def effects(self, step: Step, kind: Kind | None = None) -> list[Effect]:
        """The effects of a step, of one kind or of every kind, in the order in which they were seen."""
        return [effect for effect in self._effects[step.label] if kind in {None, effect.kind}]

    def elapsed_ms(self, step: Step, effect: Effect) -> float:
        """The time from publication to effect; the second effect belongs to the second publication."""
        times = self.publications(step)
        nth = self.effects(step, effect.kind).index(effect)
        return (effect.at - times[min(nth, len(times) - 1)].at) * 1000

    def is_begun(self, step: Step) -> bool:
        return bool(self.publications(step))

    def is_complete(self, step: Step) -> bool:
        """Whether every wanted effect of the step was seen."""
        return self.is_begun(step) and all(self.effects(step, wanted.kind) for wanted in step.wanted)

    def has_enough(self) -> bool:
        """Whether every step is complete."""
        return all(self.is_complete(step) for step in self.steps)
