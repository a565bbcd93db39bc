"""The guard: its command ends with the pipe and with whoever started it, and leaves no process behind."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.helpers.programs import run_python
from tests.helpers.waiting import wait_for
from workers.local_kafka.guard import guarded

#: Starts a process that outlives it, says which one once it hears a signal itself, and waits for the end.
LEAVES_A_CHILD = "trap 'exit 7' TERM; sleep 60 & echo $!; wait"


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    found: list[subprocess.Popen[str]] = []
    yield found
    for process in found:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()


def start(
    started: list[subprocess.Popen[str]], temporary: str = ""
) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    """Start a guard; returns it with the command's processes."""
    command = guarded(["/bin/sh", "-c", LEAVES_A_CHILD], temporary=temporary)
    guard = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    started.append(guard)
    assert guard.stdout is not None
    child = psutil.Process(int(guard.stdout.readline()))
    return guard, [child, *psutil.Process(guard.pid).children()]


def test_the_end_of_the_pipe_ends_the_command_and_what_it_left(started: list[subprocess.Popen[str]]) -> None:
    guard, processes = start(started)
    assert guard.stdin is not None
    guard.stdin.close()
    assert guard.wait(20) == 7
    assert not psutil.wait_procs(processes, timeout=30)[1]


@pytest.mark.parametrize(("said", "stays"), [("", False), ("stop", True)])
def test_the_directory_is_removed_if_the_pipe_ends_without_a_word(
    started: list[subprocess.Popen[str]], tmp_path: Path, said: str, stays: bool
) -> None:
    """Whoever dies closes its pipe some time before it is gone; whoever says a word removes it itself."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    guard, _ = start(started, str(temporary))
    assert guard.stdin is not None
    guard.stdin.write(said)
    guard.stdin.close()
    guard.wait(20)
    assert temporary.exists() == stays


def test_a_signal_ends_the_command_and_what_it_left(started: list[subprocess.Popen[str]]) -> None:
    guard, processes = start(started)
    guard.send_signal(signal.SIGTERM)
    assert guard.wait(20) == 7
    assert not psutil.wait_procs(processes, timeout=30)[1]


def test_a_command_that_ends_by_itself_leaves_nobody_and_gives_its_status(
    started: list[subprocess.Popen[str]],
) -> None:
    guard, (child, command) = start(started)
    command.kill()
    assert guard.wait(20) == -signal.SIGKILL % 256
    assert not psutil.wait_procs([child], timeout=30)[1]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
def test_a_guard_that_is_killed_takes_its_command_with_it(started: list[subprocess.Popen[str]]) -> None:
    guard, (child, command) = start(started)
    guard.kill()
    assert not psutil.wait_procs([command], timeout=30)[1]
    child.kill()


def test_the_death_of_whoever_started_it_ends_all_and_removes_the_directory(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    command = guarded(["/bin/sh", "-c", LEAVES_A_CHILD], temporary=str(temporary))
    # It ends without a word to the guard, whose pipe a child of it holds open.
    script = f"""if True:
        import os, subprocess
        quiet = {{"stderr": subprocess.DEVNULL, "text": True}}
        guard = subprocess.Popen({command!r}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **quiet)
        child = int(guard.stdout.readline())
        pipes = {{"pass_fds": [guard.stdin.fileno()], "stdout": subprocess.DEVNULL}}
        holder = subprocess.Popen(["sleep", "60"], **pipes, **quiet)
        print(guard.pid, child, holder.pid, flush=True)
        os._exit(0)
    """
    guard, child, holder = map(int, run_python("-c", script).stdout.split())
    try:
        wait_for(lambda: not psutil.pid_exists(guard) and not psutil.pid_exists(child))
        assert not temporary.exists()
    finally:
        psutil.Process(holder).kill()
