"""A key's partition is the one that every other client would choose."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies
from kafka.partitioner import murmur2 as of_the_library

from workers.kafka.partitioning import murmur2, partition_of


@given(strategies.binary(max_size=80))
def test_the_hash_is_that_of_kafka_python(key: bytes) -> None:
    assert murmur2(key) == of_the_library(key)


@pytest.mark.parametrize(
    ("key", "found"), [(b"21", -973932308), (b"foobar", -790332482), (b"abc", 479470107)]
)
def test_the_hash_is_that_of_javas_own_tests(key: bytes, found: int) -> None:
    assert murmur2(key) == found & 0xFFFFFFFF


def test_the_partition_is_one_of_those_there_are() -> None:
    chosen = {partition_of({2, 5, 7}, b"%d" % number) for number in range(40)}
    assert chosen == {2, 5, 7}
