"""Runs a command and ends it when the process that started this one is gone, even by SIGKILL.

`python guard.py TEMPORARY COMMAND ...`: its standard input is a pipe from the starting process;
anything in it, its end, or a SIGTERM means: stop. Exits with the command's status. Where the starting process
is gone, this one removes the directory TEMPORARY in its stead; an empty TEMPORARY names none.

It is run as a file, not as a module: it needs nothing of the project, and must be there at once.
"""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import threading

_POLL_INTERVAL_S = 0.2
_TERMINATE_TIMEOUT_S = 10.0
#: From <sys/prctl.h>.
_PR_SET_PDEATHSIG = 1


def main(temporary: str, command: list[str]) -> int:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_die_with_guard)  # noqa: PLW1509
    while not stop.is_set() and child.poll() is None:
        readable, _, _ = select.select([sys.stdin], [], [], _POLL_INTERVAL_S)
        # A process that the parent forked can hold the pipe open after the parent's death.
        if readable or os.getppid() != parent:
            break
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(_TERMINATE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    if temporary and os.getppid() != parent:
        shutil.rmtree(temporary, ignore_errors=True)
    return child.returncode


def _die_with_guard() -> None:
    """Let the kernel end the command if this guard is killed; only Linux can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
