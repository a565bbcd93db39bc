"""Tests whose subject is no database run on one in `make test`, and on the other with the long ones."""

from __future__ import annotations

from pathlib import Path

import pytest

_HERE = Path(__file__).parent
#: What these tests are about does not lie in the statements, which have tests of their own for each database.
_LONG_ON_SQLITE = {
    _HERE / "notifications" / "test_notifier.py",
    _HERE / "reminders" / "test_by_hand.py",
    _HERE / "reminders" / "test_keeper.py",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = [path for path in _LONG_ON_SQLITE if not path.exists()]
    assert not missing, f"{__file__} names files that are not there: {missing}"
    for item in items:
        callspec = getattr(item, "callspec", None)
        if item.path in _LONG_ON_SQLITE and callspec and callspec.params.get("new_database_url") == "sqlite":
            item.add_marker(pytest.mark.long)
