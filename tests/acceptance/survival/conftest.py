"""The queue of the fleets, and three brokers that they survive."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers.three_brokers import ThreeBrokers


@pytest.fixture
def queues() -> tuple[str, ...]:
    return ("default",)


@pytest.fixture(scope="module")
def brokers() -> Iterator[ThreeBrokers]:
    with ThreeBrokers() as brokers:
        yield brokers
