"""Runs a command that cannot outlive the process that starts it, however that ends.

`python guard.py TEMPORARY COMMAND ...`: its standard input is a pipe from the starting process. Any byte in
it, its end, the death of the starting process or a SIGTERM mean: stop. The command then gets a SIGTERM, and
10 s later a SIGKILL with all of its process group. The guard exits with the command's status.

If there is a directory TEMPORARY, which may be empty for none, the command's data is thrown away: it gets the
SIGKILL at once. If the starting process is gone, or nobody can write into the pipe any more, the guard
removes the directory in its place.

It is run as a file, without site-packages: it needs nothing of the project, and is up in 20 ms.
"""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

#: The guard may need that long to stop its command, and a moment more.
STOP_TIMEOUT_S = 15.0

_POLL_INTERVAL_S = 0.2
_TERMINATE_TIMEOUT_S = 10.0
#: From <sys/prctl.h>.
_PR_SET_PDEATHSIG = 1


def guarded(command: Sequence[str], *, temporary: str = "") -> list[str]:
    """Return the command line of a guard that runs ``command``."""
    return [sys.executable, "-I", "-S", __file__, temporary, *command]


def main(temporary: str, command: list[str]) -> int:
    """Run the command until it ends or has to stop; returns its exit status."""
    stops: list[int] = []  # no `Event`, whose lock a handler could wait for on the thread that has it
    signal.signal(signal.SIGTERM, lambda number, _frame: stops.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=_die_with_guard,  # noqa: PLW1509 - nothing here has threads
    )
    has_ended = False
    while not stops and child.poll() is None:
        readable, _, _ = select.select([sys.stdin], [], [], _POLL_INTERVAL_S)
        # A process that ends closes its pipes some time before it is gone.
        has_ended = bool(readable) and not os.read(sys.stdin.fileno(), 1)
        # A process that the parent forked can hold the pipe open after the parent's death.
        if readable or os.getppid() != parent:
            break
    _end(child, 0.0 if temporary else _TERMINATE_TIMEOUT_S)
    if temporary and (has_ended or os.getppid() != parent):
        shutil.rmtree(temporary, ignore_errors=True)
    return child.returncode


def _end(child: subprocess.Popen[bytes], grace_s: float) -> None:
    """End the command and whatever it has left in its process group."""
    with suppress(subprocess.TimeoutExpired):
        if grace_s and child.poll() is None:
            child.terminate()
            child.wait(grace_s)
    with suppress(ProcessLookupError, PermissionError):  # no process is left; macOS raises the second one
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _die_with_guard() -> None:
    """Have the kernel end the command if this guard is killed; only Linux can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
