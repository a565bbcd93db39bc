"""The lines for other clients in the docs are those that `make interop` runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.repository import REPOSITORY

LINES = sorted((REPOSITORY / "interop" / "lines").iterdir())


@pytest.mark.parametrize("path", LINES, ids=lambda path: path.name)
def test_the_page_shows_the_lines_as_they_are_run(path: Path) -> None:
    text = path.read_text()
    _, mark, shown = text.replace("  # noqa: E402", "").partition(" lines\n")
    assert mark
    assert f"\n{shown.strip()}\n```" in (REPOSITORY / "docs" / "clients.md").read_text()
