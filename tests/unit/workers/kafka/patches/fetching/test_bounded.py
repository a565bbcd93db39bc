"""A poll hands out so many records, and no more bytes than fit into memory."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher

from workers.kafka.patches.fetching.bounded import MAX_POLL_BYTES, BoundedFetcher
from workers.kafka.patches.fetching.pausing import PausingFetcher

PLACES = [TopicPartition("t", 0), TopicPartition("t", 1)]


def fetcher(
    monkeypatch: pytest.MonkeyPatch, sizes: list[int], kind: type[Fetcher] = BoundedFetcher
) -> tuple[Any, list[int]]:
    """A fetcher that has fetched records of these sizes, for two partitions in turn; and what it unpacked."""
    unpacked: list[int] = []
    left = list(enumerate(sizes))

    def fetched(_self: Any, max_records: int, _update: bool = True) -> Any:
        found: dict[TopicPartition, list[Any]] = {}
        for _ in range(min(max_records, len(left))):
            number, size = left[0]
            if size < 0 and found:
                break
            del left[0]
            if size < 0:
                raise ValueError(f"record {number}")
            unpacked.append(size)
            record = SimpleNamespace(offset=number, value=b"x" * size)
            found.setdefault(PLACES[number % 2], []).append(record)
        return found, bool(left)

    monkeypatch.setattr(PausingFetcher, "fetched_records", fetched)
    made = object.__new__(kind)
    made.config = {"max_poll_records": 500}
    return made, unpacked


def offsets(found: dict[TopicPartition, list[Any]]) -> list[list[int]]:
    return [[record.offset for record in found.get(place, ())] for place in PLACES]


def test_small_records_come_as_many_as_are_asked_for_in_the_order_of_the_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, _ = fetcher(monkeypatch, [10] * 700)
    found, partial = made.fetched_records(500)
    assert offsets(found) == [list(range(0, 500, 2)), list(range(1, 500, 2))]
    assert partial
    found, partial = made.fetched_records()
    assert offsets(found) == [list(range(500, 700, 2)), list(range(501, 700, 2))]
    assert not partial
    assert made.fetched_records(500) == ({}, False)


def test_of_large_ones_only_a_few_are_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    made, unpacked = fetcher(monkeypatch, [MAX_POLL_BYTES] * 50)
    seen = []
    while (found := made.fetched_records(500)[0]) and len(unpacked) <= 50:
        seen += sorted(record.offset for records in found.values() for record in records)
        assert sum(len(records) for records in found.values()) <= 4
    assert seen == list(range(50))


def test_an_error_behind_records_comes_after_them(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = fetcher(monkeypatch, [1] * 4 + [-1] + [1] * 3)
    assert offsets(made.fetched_records(500)[0]) == [[0, 2], [1, 3]]
    with pytest.raises(ValueError, match="record 4"):
        made.fetched_records(500)
    assert offsets(made.fetched_records(500)[0]) == [[6], [5, 7]]


@pytest.mark.parametrize(
    "kind",
    [
        BoundedFetcher,
        pytest.param(PausingFetcher, marks=pytest.mark.xfail(reason="kafka-python counts only records")),
    ],
)
def test_a_poll_takes_no_more_bytes_than_its_limit_and_a_first_look(
    kind: type[Fetcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    size = MAX_POLL_BYTES // 4
    made, unpacked = fetcher(monkeypatch, [size] * 50, kind)
    made.fetched_records(500)
    assert sum(unpacked) <= MAX_POLL_BYTES + 4 * size
