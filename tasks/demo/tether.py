"""Runs a command that cannot outlive whoever started it: `python tether.py honcho start ...`.

Its standard input is the tether: when that closes, because it was closed or because its other end died, in
whatever way, the command is terminated. The command is honcho; its output is passed on.

It is run as a file, not as a module: it needs nothing of the project, and must be there at once.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import suppress

#: Honcho's word that it has started a process, which leads a process group.
_STARTED = re.compile(rb" started \(pid=(\d+)\)$")
#: Until then honcho forgets its process when it is terminated.
_START_TIMEOUT_S = 10.0
#: How long the processes may take to end before they are killed.
_STOP_TIMEOUT_S = 10.0


def main() -> int:
    """Run the command of the command line and give its exit status."""
    cut = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(signum, lambda *_: cut.set())
    threading.Thread(target=_watch_stdin, args=(cut,), daemon=True).start()

    honcho = subprocess.Popen(
        sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    started = threading.Event()
    groups: list[int] = []
    threading.Thread(target=_end, args=(honcho, cut, started, groups), daemon=True).start()
    assert honcho.stdout is not None
    for line in honcho.stdout:
        os.write(sys.stdout.fileno(), line)
        if match := _STARTED.search(line.rstrip()):
            groups.append(int(match[1]))
            started.set()
    return honcho.wait()


def _watch_stdin(cut: threading.Event) -> None:
    sys.stdin.buffer.read()
    cut.set()


def _end(
    honcho: subprocess.Popen[bytes], cut: threading.Event, started: threading.Event, groups: list[int]
) -> None:
    cut.wait()
    started.wait(_START_TIMEOUT_S)
    honcho.terminate()
    with suppress(subprocess.TimeoutExpired):
        honcho.wait(_STOP_TIMEOUT_S)
        return
    for group in groups:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
    honcho.kill()


if __name__ == "__main__":
    sys.exit(main())
