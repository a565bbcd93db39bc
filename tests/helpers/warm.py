"""Starts programs of this Python in processes that are forked from one with the libraries loaded already.

Loading is most of a program's start: 2 s of a processor for a worker of the chatbot, and the suite starts
more than a hundred. A warm program is a process like any other, with its own arguments, environment, signals
and output; only its modules were imported before. What a test shows of the start itself (what is imported,
the encoding, plugins on PYTHONPATH) needs a cold one: `tests.helpers.programs.run_python`.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO

#: For tests that use multiprocessing themselves: their processes have the libraries loaded too.
context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["tests.helpers.warm", "tests.helpers.warm_modules"])


class WarmProcess:
    """``python ARGUMENTS``, where those begin with `-m MODULE` or `-c CODE`; leads a session of its own.

    It has the methods of `subprocess.Popen` that tests use.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        env: Mapping[str, str],
        folder: Path,
        stdin: IO[bytes],
        stdout: IO[bytes],
        stderr: IO[bytes],
    ) -> None:
        streams = [Connection(os.dup(stream.fileno())) for stream in (stdin, stdout, stderr)]
        # dramatiq's log and multiprocessing's own texts name the process.
        self._process = context.Process(
            target=_run, args=(list(arguments), dict(env), str(folder), streams), name="MainProcess"
        )
        self._process.start()
        for stream in streams:
            stream.close()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait for its end and return the exit status. Raises subprocess.TimeoutExpired."""
        self._process.join(timeout_s)
        status = self.poll()
        if status is None:
            assert timeout_s is not None
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout_s)
        return status

    def send_signal(self, signum: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, signum)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _run(
    arguments: Sequence[str], env: Mapping[str, str], folder: str, streams: Sequence[Connection]
) -> None:
    """Be the program, in a new process: as the interpreter would start it."""
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream.fileno(), number)
        stream.close()
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    # Left as it is here, each program that starts processes would start a fork server for them.
    multiprocessing.set_start_method(None, force=True)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    sys.path.insert(0, "")
    option, program, *rest = arguments
    if option == "-m":
        sys.argv = [program, *rest]
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        assert option == "-c", option
        sys.argv = ["-c", *rest]
        exec(program, {"__name__": "__main__"})
