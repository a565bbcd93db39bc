"""Runs programs of this Python as their users do: `todo-workers`, and scripts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.helpers.repository import REPOSITORY
from tests.helpers.warm import WarmProcess

Done = subprocess.CompletedProcess[str]

TODO_WORKERS = ("-m", "workers")

#: No program takes that long, even on a busy machine.
TIMEOUT_S = 180.0


def todo_workers(
    *words: str, env: Mapping[str, str] | None = None, stdin: str = "", timeout_s: float = TIMEOUT_S
) -> Done:
    """Run the command `todo-workers` to its end, as `run_warm` does."""
    return run_warm(*TODO_WORKERS, *words, env=env, stdin=stdin, timeout_s=timeout_s)


def run_warm(
    *arguments: str,
    env: Mapping[str, str] | None = None,
    stdin: str = "",
    folder: Path = REPOSITORY,
    timeout_s: float = TIMEOUT_S,
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
    timeout_s: float = TIMEOUT_S,
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


class StartedProgram(WarmProcess):
    """A program that runs, with a pipe from its output; it has more of the methods of `subprocess.Popen`."""

    def __init__(self, arguments: Sequence[str], *, env: Mapping[str, str]) -> None:
        out, to_out = os.pipe()
        self.stdout = os.fdopen(out, encoding="utf-8")
        # Nobody need read it while the program runs.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the output
        with Path(os.devnull).open("rb") as nothing, os.fdopen(to_out, "wb") as stdout:
            super().__init__(
                arguments, env=env, folder=REPOSITORY, stdin=nothing, stdout=stdout, stderr=self._errors
            )

    @property
    def returncode(self) -> int | None:
        return self.poll()

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Its output and its errors, once it has ended: an output that fits into a pipe."""
        self.wait(timeout)
        self._errors.seek(0)
        with self:
            return self.stdout.read(), self._errors.read().decode()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self.stdout, self._errors:
            self.wait()


def start_todo_workers(*words: str, env: Mapping[str, str] | None = None) -> StartedProgram:
    """Start the command `todo-workers`, with the libraries loaded."""
    return StartedProgram([*TODO_WORKERS, *words], env={**os.environ, **(env or {})})


def output_of(done: Done) -> str:
    """The output of a program, which must have ended well."""
    assert done.returncode == 0, done.stderr
    return done.stdout
