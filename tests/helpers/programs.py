"""Runs programs of this Python as their users do: `todo-workers`, and scripts."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.helpers.repository import REPOSITORY
from tests.helpers.warm import WarmProcess

Done = subprocess.CompletedProcess[str]

TODO_WORKERS = ("-m", "workers")


def todo_workers(
    *words: str, env: Mapping[str, str] | None = None, stdin: str = "", timeout_s: float = 60
) -> Done:
    """Run the command `todo-workers` to its end, as `run_warm` does."""
    return run_warm(*TODO_WORKERS, *words, env=env, stdin=stdin, timeout_s=timeout_s)


def run_warm(
    *arguments: str,
    env: Mapping[str, str] | None = None,
    stdin: str = "",
    folder: Path = REPOSITORY,
    timeout_s: float = 60,
) -> Done:
    """Run a program to its end, like `run_python`, with the libraries loaded: in a tenth of the time."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin.encode())
        given.seek(0)
        process = WarmProcess(
            arguments, env={**os.environ, **(env or {})}, folder=folder, stdin=given, stdout=out, stderr=err
        )
        try:
            status = process.wait(timeout_s)
        finally:
            process.kill()
        out.seek(0)
        err.seek(0)
        return Done(arguments, status, out.read().decode(), err.read().decode())


def run_python(
    *arguments: str,
    env: Mapping[str, str] | None = None,
    stdin: str = "",
    folder: Path = REPOSITORY,
    timeout_s: float = 60,
) -> Done:
    """Run this interpreter to its end, whatever its status. ``env`` is added to this process's.

    Its start costs up to 2 s of a processor: use `run_warm` where a test is not about that start.
    """
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
