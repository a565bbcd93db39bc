"""Decides when a delayed job moves, and to which topic. Pure: no I/O, no clock.

A delayed job waits in tiers: topics with one constant wait each, so that the order of the log is the order
in which records become due, and only the head of a partition must be looked at. It enters the largest tier
that is not longer than what remains, moves down when its wait there is over, and leaves the last one, which
keeps its records in memory, at its exact time. The due time, ``eta``, never changes. If the last tier would
be next, and there is memory, a mover skips that tier and keeps the record in memory at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..errors import DelayTooLong, WrongUsage
from ..topics import Topics

_S = 1_000
_MIN = 60 * _S
_H = 60 * _MIN
_D = 24 * _H

#: A job leaves a tier at least this long before its due time: only the last wait is exact.
MARGIN_MS = _S


@dataclass(frozen=True, slots=True)
class Tier:
    """A delay topic. ``wait_ms`` is how long a record stays; 0 means until its due time."""

    name: str
    wait_ms: int


#: Shortest first; delays of up to 90 days take 15 hops on average and 27 at most.
TIERS = (
    Tier("soon", 0),
    Tier("1m", _MIN),
    Tier("4m", 4 * _MIN),
    Tier("16m", 16 * _MIN),
    Tier("1h", _H),
    Tier("4h", 4 * _H),
    Tier("16h", 16 * _H),
    Tier("3d", 3 * _D),
    Tier("12d", 12 * _D),
)


def checked(tiers: Iterable[Tier], topics: Topics) -> tuple[Tier, ...]:
    """The tiers, if every delay finds its way through them. Raises WrongUsage, or InvalidName for a name."""
    found = tuple(tiers)
    exact = [tier.name for tier in found if tier.wait_ms == 0]
    if len(exact) != 1:
        raise WrongUsage(
            "of the delay tiers exactly one must have wait_ms=0, in which jobs wait until their due time, "
            f"such as Tier('soon', 0); here it is {' and '.join(exact) or 'none'}"
        )
    for tier in found:
        topics.named(f"delay.{tier.name}")  # raises for a name that no topic can have
        if tier.wait_ms < 0:
            raise WrongUsage(f"the delay tier {tier.name!r} waits {tier.wait_ms} ms, which is below 0")
    if len({tier.name for tier in found}) < len(found):
        raise WrongUsage(f"two delay tiers have one name: {', '.join(tier.name for tier in found)}")
    return found


def eta_of(delay_ms: int, now_ms: int, max_delay_ms: int) -> int | None:
    """The due time of a job that is delayed from now on; None if it is due already.

    Raises DelayTooLong for more than ``max_delay_ms``.
    """
    if delay_ms > max_delay_ms:
        raise DelayTooLong(
            f"a delay of {delay_ms} ms ({_days(delay_ms)}) is more than the {_days(max_delay_ms)} allowed; "
            "nothing was sent. Raise WORKER_MAX_DELAY, or keep the date elsewhere until it is nearer"
        )
    return now_ms + delay_ms if delay_ms > 0 else None


def next_tier(eta_ms: int, now_ms: int, tiers: Sequence[Tier] = TIERS, *, lead_ms: int = 0) -> Tier | None:
    """The tier for a job due at ``eta_ms``; None if it is due: then its queue is next.

    ``lead_ms``: how far the clock of ``now_ms`` is ahead of the cluster's. Each wait is shorter by as much. A
    tier in which a job would hardly wait is left out, as the job would come to it again and again.
    """
    remaining_ms = eta_ms - now_ms
    if remaining_ms <= 0:
        return None
    shortest_ms, longest_ms = lead_ms * 3 // 2, remaining_ms - MARGIN_MS
    fitting = [tier for tier in tiers if tier.wait_ms == 0 or shortest_ms <= tier.wait_ms <= longest_ms]
    return max(fitting, key=lambda tier: tier.wait_ms)


def release_ms(tier: Tier, appended_ms: int, eta_ms: int) -> int:
    """When a record leaves ``tier``; ``appended_ms`` is when the cluster appended it, by its own clock.

    It is never after the due time, however wrong the clocks are; a record that comes to its next topic too
    early waits there.
    """
    return eta_ms if tier.wait_ms == 0 else min(appended_ms + tier.wait_ms, eta_ms - MARGIN_MS)


def _days(ms: int) -> str:
    return f"{ms / _D:.4g} days"
