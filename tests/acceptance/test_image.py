"""The steps of the Dockerfile, run as a script; no engine of containers is needed."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.helpers.repository import REPOSITORY

UV = Path(sys.executable).with_name("uv")
DOCKERFILE = REPOSITORY / "deploy" / "Dockerfile"


def instructions() -> list[tuple[str, str]]:
    lines = [line for line in DOCKERFILE.read_text().splitlines() if line and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder /app of the image, made elsewhere."""
    source, app = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("image") / "app"
    steps = instructions()
    assert [word for word, _ in steps].count("FROM") == 2
    for word, rest in steps[: [word for word, _ in steps].index("FROM", 1)]:
        if word == "COPY":
            *paths, target = shlex.split(rest)
            copy(paths, source / target)
        elif word == "RUN":
            command = rest.replace("python -m venv", f"{sys.executable} -m venv --without-pip")
            # uv installs the same in a tenth of the time.
            command = command.replace("/app/bin/python -m pip", f"{UV} pip")
            command = command.replace("pip install", "pip install --python /app/bin/python")
            command = command.replace("/app", str(app))
            run(["sh", "-c", command], source)
    return app


def copy(paths: list[str], target: Path) -> None:
    """Copy what git has of these paths, as .dockerignore leaves out the rest."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *paths],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    for name in listed:
        if not name.startswith(("tests/", "bench/")):
            to = target / (Path(name).name if paths != ["."] else name)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, to)


def run(command: Sequence[str | Path], folder: Path) -> str:
    """The standard output of a command that must succeed, and that must not find the checkout."""
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL"))
    }
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.long
def test_the_image_runs_workers_routes_and_bridge(app: Path, tmp_path: Path) -> None:
    parts = "import psycopg, prometheus_client, tasks, web.app; print(tasks.__file__)"
    assert run([app / "bin" / "python", "-c", parts], tmp_path).startswith(str(app))
    assert "todo-workers " in run([app / "bin" / "todo-workers", "--version"], tmp_path)
    command = json.loads(dict(instructions())["CMD"])
    assert command[:2] == ["dramatiq", "tasks"]
    assert (app / "bin" / "dramatiq").exists()
