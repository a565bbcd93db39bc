"""The options of `todo-workers audit`."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tasks.audit.archive.folder import ArchiveFolder
from tasks.audit.archive.keys import Keys
from tasks.cli.archive_output import say_what_all_may_read
from tasks.cli.audit import app


def test_no_more_months_stay_than_the_calendar_has() -> None:
    refused = CliRunner().invoke(app, ["archive", "--older-than", "30000"])
    assert refused.exit_code == 2
    assert "'--older-than': Input should be less than or equal to 1200" in refused.stderr


def test_files_of_older_versions_that_every_user_may_read_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ArchiveFolder(tmp_path, Keys(None, None))
    for name, mode in (("audit-2026-01.json", 0o600), ("audit-2026-02.json", 0o640)):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)
    say_what_all_may_read(folder)
    assert capsys.readouterr().err == ""
    (tmp_path / "audit-2026-02.json").chmod(0o644)
    say_what_all_may_read(folder)
    said = capsys.readouterr().err
    assert f"may read 1 file in {tmp_path}, from audit-2026-02.json on" in said
    assert f"chmod 600 {tmp_path}/audit-*" in said
