"""The counts of sent jobs."""

from __future__ import annotations

from workers.measures.metrics import MAX_SERIES, OTHER
from workers.measures.sends import SendCounts


def test_sends_are_counted_by_queue_and_actor() -> None:
    counts = SendCounts()
    for actor in ("write", "write", "read"):
        counts.add("letters", actor)
    assert counts.families()[0].series == {("letters", "write"): (2,), ("letters", "read"): (1,)}


def test_names_without_end_do_not_fill_the_memory() -> None:
    counts = SendCounts()
    for number in range(MAX_SERIES + 7):
        counts.add(f"queue-{number}", "write")
    series = counts.families()[0].series
    assert len(series) == MAX_SERIES + 1
    assert series[OTHER, OTHER] == (7,)
