"""The ring gives everybody all that it says it covers, within its memory."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from web.live.ring import Entry, Ring

USERS = ("ana", "bob")
AUDIENCES = st.one_of(st.none(), st.sets(st.sampled_from(USERS), min_size=1).map(lambda s: tuple(sorted(s))))


@given(
    st.lists(st.tuples(st.integers(0, 2), AUDIENCES, st.integers(0, 900)), max_size=60),
    st.integers(1, 20_000),
    st.tuples(*[st.integers(0, 40)] * 3),
)
def test_it_gives_all_that_it_covers_in_order_and_keeps_to_its_memory(
    added: list[tuple[int, tuple[str, ...] | None, int]], max_bytes: int, offsets: tuple[int, ...]
) -> None:
    ring = Ring(max_bytes, (0, 0, 0))
    ends = [0, 0, 0]
    every: list[Entry] = []
    for partition, users, size in added:
        entry = Entry(partition, ends[partition], users, "x" * size, "")
        ends[partition] += 1
        every.append(entry)
        ring.add(entry)
    assert ring.bytes <= max_bytes or len(ring) == 1
    if ring.covers(offsets):
        for user in USERS:
            expected = [
                entry
                for entry in every
                if (entry.users is None or user in entry.users) and entry.offset >= offsets[entry.partition]
            ]
            assert list(ring.since(user, offsets)) == expected
    else:
        assert len(ring) < len(every)


def test_it_covers_nothing_below_its_start() -> None:
    ring = Ring(1_000, (5, 7))
    assert ring.covers((5, 7))
    assert not ring.covers((4, 7))


def test_many_users_with_an_event_each_keep_to_its_memory_too() -> None:
    tracemalloc.start()
    try:
        ring = Ring(1_000_000, (0,))
        for offset in range(5_000):
            ring.add(Entry(0, offset, (f"user-{offset}@example.com",), f"{offset:300}", f"{offset:60}"))
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 1_100_000
    assert len(ring) > 500


def test_its_memory_is_given_back() -> None:
    ring = Ring(1, (0,))
    sizes = set()
    for offset in range(10):
        ring.add(Entry(0, offset, ("ana",) if offset % 2 else ("bob", "cem"), "", ""))
        sizes.add((offset % 2, ring.bytes))
    assert len(sizes) == 2
