"""Runs programs of this Python as their users do: `todo-workers`, and scripts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.helpers.repository import REPOSITORY

Done = subprocess.CompletedProcess[str]

TODO_WORKERS = ("-m", "workers")


def todo_workers(
    *words: str, env: Mapping[str, str] | None = None, stdin: str = "", timeout_s: float = 60
) -> Done:
    """Run the command `todo-workers` to its end, whatever its status. ``env`` is added to this process's."""
    return run_python(*TODO_WORKERS, *words, env=env, stdin=stdin, timeout_s=timeout_s)


def run_python(
    *arguments: str,
    env: Mapping[str, str] | None = None,
    stdin: str = "",
    folder: Path = REPOSITORY,
    timeout_s: float = 60,
) -> Done:
    """Run this interpreter to its end, whatever its status. ``env`` is added to this process's."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, **(env or {})},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def start_todo_workers(
    *words: str, env: Mapping[str, str] | None = None, with_errors: bool = False
) -> subprocess.Popen[str]:
    """Start the command `todo-workers`, with a pipe from its output, and one from its errors if wanted."""
    return subprocess.Popen(
        [sys.executable, *TODO_WORKERS, *words],
        cwd=REPOSITORY,
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if with_errors else None,
        text=True,
    )


def output_of(done: Done) -> str:
    """The output of a program, which must have ended well."""
    assert done.returncode == 0, done.stderr
    return done.stdout
