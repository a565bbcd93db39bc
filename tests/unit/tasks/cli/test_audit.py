"""The options of `todo-workers audit`."""

from __future__ import annotations

from typer.testing import CliRunner

from tasks.cli.audit import app


def test_no_more_months_stay_than_the_calendar_has() -> None:
    refused = CliRunner().invoke(app, ["archive", "--older-than", "30000"])
    assert refused.exit_code == 2
    assert "'--older-than': Input should be less than or equal to 1200" in refused.stderr
