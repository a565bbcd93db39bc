"""Tombstones in a wrong partition: the latest of a key counts, wherever it is."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.helpers.records import Consumed
from workers.dead_letters import reader
from workers.dead_letters.topic.stray_tombstones import is_ended


@pytest.mark.parametrize("times", [(10, 30), (30, 10)])
def test_the_latest_of_several_partitions_counts(times: tuple[int, int]) -> None:
    counts: list[Any] = [reader._Count(Counter(), {b"key": time}, {}) for time in times]
    strays = reader._strays_of(counts)
    assert strays == {b"key": 30}
    assert is_ended(Consumed(timestamp=20), strays)
    assert not is_ended(Consumed(timestamp=31), strays)
