"""Charts as SVG, drawn on the server from the history that the fleet writes. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from workers.display.times import length_of_time
from workers.stats.history import Grain, History, Slot

_WIDTH, _HEIGHT = 600, 80


@dataclass(frozen=True, slots=True)
class Chart:
    """One line over time, and what it says in words, for those who do not see it."""

    title: str
    line: Markup
    now: str
    most: str


def charts(history: History, grain: Grain, queue: str | None = None, actor: str | None = None) -> list[Chart]:
    """Throughput, wait, duration and failures of a queue, an actor, or of all, as the fleet has written."""
    slots = history.slots(grain, queue=queue, actor=actor)
    return [
        _chart("Jobs a second", slots, lambda slot: slot.per_s(history.now_s), lambda value: f"{value:.3g}"),
        _chart("Wait (median)", slots, lambda slot: slot.counts.wait_s(0.5) or 0.0, _seconds),
        _chart("Duration (median)", slots, lambda slot: slot.counts.duration_s(0.5) or 0.0, _seconds),
        _chart("Tried again", slots, lambda slot: float(slot.counts.retried), lambda value: f"{value:,.0f}"),
        _chart("Dead letters", slots, lambda slot: float(slot.counts.dead), lambda value: f"{value:,.0f}"),
    ]


@dataclass(frozen=True, slots=True)
class ActorTotal:
    """What an actor of a queue did in the whole time of the charts; its times are 95th percentiles."""

    actor: str
    done: int
    retried: int
    dead: int
    wait: str
    duration: str


def actors_of(history: History, grain: Grain, queue: str) -> list[ActorTotal]:
    """The actors of a queue whose jobs ended in that time, those with the most failures first."""
    found = [
        ActorTotal(
            actor,
            counts.done,
            counts.retried,
            counts.dead,
            _seconds(counts.wait_s(0.95) or 0.0),
            _seconds(counts.duration_s(0.95) or 0.0),
        )
        for (queue_of, actor), counts in history.totals(grain).items()
        if queue_of == queue
    ]
    return sorted(found, key=lambda one: (-one.dead, -one.retried, -one.done, one.actor))


def _chart(
    title: str, slots: Sequence[Slot], value_of: Callable[[Slot], float], words: Callable[[float], str]
) -> Chart:
    values = [value_of(slot) for slot in slots]
    return Chart(title, line(values), words(values[-1]), words(max(values)))


def line(values: Sequence[float]) -> Markup:
    """The path of a line through the values, the last one at the right edge."""
    most = max(values) or 1.0
    step = _WIDTH / max(1, len(values) - 1)
    places = [
        f"{at * step:.1f} {_HEIGHT - value / most * (_HEIGHT - 4) - 2:.1f}" for at, value in enumerate(values)
    ]
    return Markup('<path d="M{}"/>').format(" L".join(places))


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else length_of_time(value)
