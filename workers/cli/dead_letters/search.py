"""Finds dead letters for the commands, with a progress bar where a person waits."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator

from ...broker.kafka_broker import KafkaBroker
from ...dead_letters import reader as dead_letter_reader
from ...dead_letters.filter import Filter
from ...dead_letters.reader import Entry
from ..terminal import progress

#: Ids that are suggested, at most.
_NEAR_IDS = 3


def matching(broker: KafkaBroker, wanted: Filter, doing: str) -> Iterator[Entry]:
    """The unresolved dead letters that match, one at a time, in the order of the log's partitions."""
    with progress(doing) as advance:
        for entry in dead_letter_reader.unresolved(broker.cluster, broker.topics.dead_letters, advance):
            if wanted.matches(entry.letter):
                yield entry


def not_found(broker: KafkaBroker, *beginnings: str) -> list[str]:
    """Say of each that no dead letter has an id that begins so, and which ones are near; reads all once."""
    near: dict[str, list[str]] = {beginning: [] for beginning in beginnings}
    for entry in matching(broker, Filter(), "searching"):
        for beginning, those in near.items():
            those[:] = nearest(beginning, [*those, entry.letter.id])
    return [
        f"no dead letter has the id {beginning}" + (f"; near ones: {', '.join(those)}" if those else "")
        for beginning, those in near.items()
    ]


def nearest(wanted: str, ids: Iterable[str]) -> list[str]:
    """The ids that differ from it in one place: those that begin and end like it for more than half of it."""
    near = ((likeness, one) for one in ids if (likeness := _likeness(wanted, one)) > len(wanted) / 2)
    return [one for _, one in heapq.nlargest(_NEAR_IDS, near)]


def _likeness(one: str, other: str) -> int:
    """How many characters both begin with, and both end with."""
    shorter = min(len(one), len(other))
    begin = next((at for at in range(shorter) if one[at] != other[at]), shorter)
    end = next((at for at in range(shorter - begin) if one[-1 - at] != other[-1 - at]), shorter - begin)
    return begin + end
