"""The pool knows one series of kafka-python, and says so in one line where another one is installed."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.helpers.repository import REPOSITORY
from workers.errors import UnsupportedLibrary
from workers.kafka.patches.supported import REQUIREMENT, require_supported

#: A Python program each: the library imported as applications do, and the command.
LIBRARY = "from workers import KafkaBroker"
COMMAND = "import sys; sys.argv = ['todo-workers', 'topics']; from workers.cli import main; main()"


def installed(folder: Path, version: str) -> None:
    """Make it seem that another release is installed; its modules are those of ours."""
    info = folder / f"kafka_python-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: kafka-python\nVersion: {version}\n")


@pytest.mark.parametrize("version", ["2.3.2", "3.0.11", "3.1.0", "4.0.0"])
def test_another_series_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    installed(tmp_path, version)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        UnsupportedLibrary, match=rf"kafka-python {re.escape(version)} is installed, 3\.0\.12 or"
    ):
        require_supported()


@pytest.mark.parametrize("program", [LIBRARY, COMMAND], ids=["import", "command"])
def test_another_series_is_one_line_that_says_which_is_needed(tmp_path: Path, program: str) -> None:
    version = "4.0.0"
    installed(tmp_path, version)
    # Private parts that a series lacks must not be met before.
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.modules['kafka'] = None; {program}"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    line = done.stderr.rstrip("\n").removeprefix("todo-workers: ")
    assert line.startswith(
        f"kafka-python {version} is installed, 3.0.12 or a later 3.0 is needed: pip install"
    )
    assert "\n" not in line
    assert done.stdout == ""


@pytest.mark.parametrize("version", ["3.0.12", "3.0.13", "3.0.20.post1"])
def test_the_series_it_was_written_for_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    installed(tmp_path, version)
    monkeypatch.syspath_prepend(tmp_path)
    require_supported()


def test_pip_is_asked_for_what_the_pool_checks() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert REQUIREMENT in project["dependencies"]
