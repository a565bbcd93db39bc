"""Signals that end a command, in a process of its own, as they are that of its main thread."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: A signal at each step of a wait, one after the other: before it, within it, at its end; then two at once.
AT_EACH_STEP = """
import itertools, signal, sys
from workers.runtime.stop_signals import StopSignals

for place in itertools.count(1):
    stop_signals, left = StopSignals(), place
    stop_signals.listen()

    def step(frame, event, _value):
        global left
        if "stop_signals" not in frame.f_code.co_filename and "threading" not in frame.f_code.co_filename:
            return None
        left -= 1
        if not left:
            for _ in range(2):
                signal.raise_signal(signal.SIGTERM)
        return step

    sys.settrace(step)
    stop_signals.wait(0.05)
    sys.settrace(None)
    if left > 0:
        break
    assert stop_signals.came and stop_signals.wait(), place
print(place)
"""

COMES_LATER = """
import os, signal, threading
from workers.runtime.stop_signals import StopSignals

stop_signals = StopSignals()
stop_signals.listen()
assert not stop_signals.wait(0.01) and not stop_signals.came
threading.Timer(0.05, os.kill, (os.getpid(), signal.{number})).start()
assert stop_signals.wait() and stop_signals.came and stop_signals.wait()
print("heard")
"""


def run(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False
    )
    assert not done.stderr
    return done.stdout.strip()


def test_a_signal_is_heard_at_each_step_of_a_wait() -> None:
    assert int(run(AT_EACH_STEP)) > 5


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_a_signal_ends_a_wait_without_limit(number: str) -> None:
    assert run(COMES_LATER.format(number=number)) == "heard"
