"""When the load comes, and when which service is killed. Pure: the same seed gives the same run."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

#: What is killed.
TARGETS = ("worker-1", "worker-2", "mail", "database", "kafka")
#: Seconds between two kills, at least: the services come back within that.
_LEAST_S = 20.0
#: Rounds of kills: a few in half an hour, and in longer runs so few that processes grow old.
_ROUNDS, _SHORT_MINUTES, _ROUND_MINUTES = 3, 20.0, 30.0
#: How long a service is away, at most.
_MOST_AWAY_S = 8.0

#: Events of each hour of a day, over the busiest: people plan in the morning, and tick off in the evening.
DAY = (
    *(0.10, 0.06, 0.05, 0.05, 0.08, 0.20),
    *(0.45, 0.75, 0.95, 1.00, 0.90, 0.80),
    *(0.75, 0.80, 0.80, 0.75, 0.75, 0.85),
    *(0.95, 0.90, 0.70, 0.50, 0.30, 0.18),
)


@dataclass(frozen=True, slots=True)
class Kill:
    """A service that is killed at a time of the run, in seconds, and started again some seconds later."""

    at_s: float
    target: str
    away_s: float


def kills(length_s: float, seed: int) -> list[Kill]:
    """Rounds in which each service is killed once, in a random order; none in the last minute or so."""
    chance = random.Random(seed)  # noqa: S311 - it is to be the same each time
    minutes = length_s / 60
    rounds = 1 if minutes < _SHORT_MINUTES else max(_ROUNDS, round(minutes / _ROUND_MINUTES))
    order = [target for _ in range(rounds) for target in chance.sample(TARGETS, len(TARGETS))]
    every_s = max(_LEAST_S, length_s / (len(order) + 1))
    found = [
        Kill(every_s * number, target, chance.uniform(1, _MOST_AWAY_S))
        for number, target in enumerate(order, 1)
    ]
    return [kill for kill in found if kill.at_s <= length_s - _LEAST_S]


@dataclass(frozen=True, slots=True)
class Load:
    """How many events come when: ``per_minute`` at the busiest, along ``curve`` for ``length_s``."""

    per_minute: float
    length_s: float
    curve: Sequence[float] = (1.0,)

    @property
    def is_steady(self) -> bool:
        """Whether as many events come at all times."""
        return len(self.curve) == 1

    @classmethod
    def of_a_day(cls, events: int, per_minute: float) -> Load:
        """The load of a day, so compressed that its busiest hour has ``per_minute``."""
        mean = sum(DAY) / len(DAY)
        return cls(per_minute, 60 * events / (per_minute * mean), DAY)

    def times(self) -> Iterator[float]:
        """When each event is due, in seconds from the beginning."""
        slot_s = self.length_s / len(self.curve)
        for number, share in enumerate(self.curve):
            count = round(share * self.per_minute * slot_s / 60)
            yield from ((number + place / count) * slot_s for place in range(count))

    def slot(self, at_s: float) -> int:
        """The place in the curve of a time."""
        return min(int(at_s * len(self.curve) / self.length_s), len(self.curve) - 1)
