"""The queue of the fleets."""

from __future__ import annotations

import pytest


@pytest.fixture
def queues() -> tuple[str, ...]:
    return ("default",)
