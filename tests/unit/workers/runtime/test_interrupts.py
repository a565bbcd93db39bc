"""Ctrl-C is known again at each step of a wait."""

from __future__ import annotations

import subprocess
import sys

from tests.helpers.interrupts import interrupted_wait
from workers.runtime.interrupts import was_interrupted

#: A signal at each instruction of a wait, one after the other.
AT_EACH_STEP = """
import itertools, signal, sys, threading
from concurrent.futures import Future
from contextlib import suppress
from workers.runtime.interrupts import was_interrupted

def waits_for_a_future():
    with suppress(TimeoutError):
        Future().result(0.01)

signal.signal(signal.SIGINT, signal.default_int_handler)
for wait in (lambda: threading.Event().wait(0.01), waits_for_a_future):
    for place in itertools.count(1):
        left = place

        def step(frame, _event, _value):
            global left
            if not frame.f_code.co_filename.endswith(("threading.py", "_base.py")):
                return None
            frame.f_trace_opcodes = True
            left -= 1
            if not left:
                signal.raise_signal(signal.SIGINT)
            return step

        sys.settrace(step)
        try:
            wait()
        except BaseException as exc:
            sys.settrace(None)
            assert was_interrupted(exc), (place, exc)
        finally:
            sys.settrace(None)
        if left > 0:
            break
    assert place > 50
"""


def test_ctrl_c_is_known_again_at_each_step_of_a_wait() -> None:
    done = subprocess.run(
        [sys.executable, "-c", AT_EACH_STEP], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_what_a_wait_made_of_it_is_known_and_another_error_is_not() -> None:
    assert was_interrupted(KeyboardInterrupt())
    assert was_interrupted(interrupted_wait())
    assert not was_interrupted(RuntimeError("release unlocked lock"))
    other = RuntimeError("a fault")
    other.__context__ = ValueError()
    assert not was_interrupted(other)
    assert not was_interrupted(None)
