"""The built wheel, installed where there is no checkout."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.helpers.repository import REPOSITORY

pytestmark = pytest.mark.long


@dataclass(frozen=True)
class Installed:
    """A virtual environment with the wheel in it, and an empty folder to run it from."""

    wheel: Path
    bin: Path
    folder: Path

    def run(self, command: Sequence[str]) -> str:
        """The standard output of a command of this environment, which must succeed."""
        program = str(self.bin / command[0])
        return run([program, *command[1:]], cwd=self.folder)


def run(command: Sequence[str], cwd: Path) -> str:
    # The checkout must not be found by way of the environment.
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))
    }
    done = subprocess.run(
        command, cwd=cwd, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    base = tmp_path_factory.mktemp("wheel")
    run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(base)], cwd=REPOSITORY)
    [wheel] = base.glob("*.whl")
    folder = base / "elsewhere"
    folder.mkdir()
    environment = base / "venv"
    venv.create(environment, symlinks=True)
    # Nothing is downloaded: the dependencies are those of the environment that runs the tests. A .pth file
    # brings in its packages but not what its own .pth files name, among which is the checkout.
    [site_packages] = environment.glob("lib/python3*/site-packages")
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = str(environment / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python]
    run([*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)], cwd=folder)
    return Installed(wheel, environment / "bin", folder)


def test_it_holds_the_packages_and_nothing_else(installed: Installed) -> None:
    names = zipfile.ZipFile(installed.wheel).namelist()
    folders = {name.partition("/")[0] for name in names}
    assert {folder for folder in folders if not folder.endswith(".dist-info")} == {
        "settings",
        "tasks",
        "templates",
        "web",
        "workers",
    }
    assert {"settings/py.typed", "tasks/py.typed", "web/py.typed", "workers/py.typed"} <= set(names)


def test_it_holds_the_procfile(installed: Installed) -> None:
    shipped = zipfile.ZipFile(installed.wheel).read("tasks/demo/Procfile")
    assert shipped == (REPOSITORY / "Procfile").read_bytes()


def test_every_package_comes_from_the_wheel(installed: Installed) -> None:
    code = (
        "import settings as s, tasks as t, workers as w; print(s.__file__, t.__file__, w.__file__, sep='\\n')"
    )
    files = installed.run(["python", "-c", code]).splitlines()
    assert len(files) == 3
    assert all(Path(file).is_relative_to(installed.bin.parent) for file in files)


def test_the_templates_are_found_even_beside_another_templates_folder(installed: Installed) -> None:
    (installed.folder / "templates").mkdir()  # Many a web application has one.
    code = (
        "from jinja2 import PackageLoader; print(*PackageLoader('templates', '').list_templates(), sep='\\n')"
    )
    found = installed.run(["python", "-c", code]).split()
    wanted = [path for path in (REPOSITORY / "templates").rglob("*.*") if path.suffix in {".html", ".txt"}]
    assert wanted
    assert {str(path.relative_to(REPOSITORY / "templates")) for path in wanted} <= set(found)


@pytest.mark.parametrize("command", [["todo-workers"], ["python", "-m", "workers"]])
def test_the_command_works(installed: Installed, command: list[str]) -> None:
    usage = installed.run([*command, "--help"])
    assert "kafka" in usage
    assert "demo" in usage


def test_it_can_migrate_a_database(installed: Installed) -> None:
    assert "schema upgraded from nothing to" in installed.run(["todo-workers", "db", "upgrade"])
    assert "needed" not in installed.run(["todo-workers", "db", "current", "--check"])
    assert (installed.folder / "todo.db").is_file()
