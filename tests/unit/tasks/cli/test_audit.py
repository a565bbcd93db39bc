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


@pytest.fixture
def folder(tmp_path: Path) -> ArchiveFolder:
    """One that all may enter, with a file that all may read, one for a group and one for its user."""
    path = tmp_path / "all months"
    path.mkdir()
    path.chmod(0o755)
    for name, mode in (("audit-2026-01", 0o600), ("audit-2026-02", 0o644), ("audit-2026-03", 0o640)):
        (path / name).touch()
        (path / name).chmod(mode)
    return ArchiveFolder(path, Keys(None, None))


def test_files_that_every_user_may_read_are_told(
    folder: ArchiveFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    say_what_all_may_read(folder)
    said = capsys.readouterr().err
    assert f"may read 1 file in {folder.path}, from audit-2026-02 on" in said
    assert f"chmod o-r '{folder.path}'/audit-*" in said
    (folder.path / "audit-2026-02").chmod(0o640)
    say_what_all_may_read(folder)
    assert capsys.readouterr().err == ""


def test_no_user_may_read_the_files_of_a_folder_that_is_closed(
    folder: ArchiveFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.path.chmod(0o700)
    say_what_all_may_read(folder)
    assert capsys.readouterr().err == ""
