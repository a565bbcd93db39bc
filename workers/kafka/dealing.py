"""Deals the partitions of a group's topics out to its members: each topic evenly, by itself. Pure: no I/O.

kafka-python, as Java's sticky assignor, evens out the sum over all topics. Then the second process of a group
may be given all of a topic that is quiet, while the first keeps all of the one that is busy: say, the retries
of an event log's jobs, and the log itself. Here each member has its share of each topic, give or take one
partition; the odd ones go to those that have the fewest in all, so the sums differ by one at most where all
want the same.

Members keep what they own as far as their share goes (KIP-429), so the same members again are dealt the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from itertools import islice

#: The numbers of partitions, by topic.
Partitions = dict[str, list[int]]


def deal(
    topics: Mapping[str, Collection[int]],
    wanted: Mapping[str, Collection[str]],
    owned: Mapping[str, Mapping[str, Collection[int]]],
) -> dict[str, Partitions]:
    """Who is to have which partitions of ``topics``, by the names of the members.

    ``wanted`` has the topics of each member, ``owned`` what each has now; no partition is owned twice. A
    topic that no member wants is left out.
    """
    dealt: dict[str, Partitions] = {member: {} for member in wanted}
    sums: dict[str, int] = defaultdict(int)
    for topic in sorted(topics):
        members = sorted(member for member in wanted if topic in wanted[member])
        if not members:
            continue
        kept = {
            member: sorted(set(owned.get(member, {}).get(topic, ())) & set(topics[topic]))
            for member in members
        }
        share, odd = divmod(len(topics[topic]), len(members))
        # Those of the last time come first again among equals: else partitions would move back and forth.
        members.sort(key=lambda member: (sums[member], -len(kept[member])))
        sizes = {member: share + (place < odd) for place, member in enumerate(members)}
        kept = {member: kept[member][: sizes[member]] for member in members}
        free = iter(sorted(set(topics[topic]).difference(*kept.values())))
        for member in members:
            kept[member] += islice(free, sizes[member] - len(kept[member]))
            sums[member] += sizes[member]
            if kept[member]:
                dealt[member][topic] = sorted(kept[member])
    return dealt
