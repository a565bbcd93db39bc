"""Calls a function in a fresh process: no contestant leaves threads, memory or settings to the next."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from typing import Any

from .errors import NotMeasured

#: A contestant that takes longer counts as hanging.
TIMEOUT_S = 600.0


def isolated(function: str, **arguments: Any) -> Any:
    """As :func:`isolated_within`, with a limit of ten minutes."""
    return isolated_within(TIMEOUT_S, function, **arguments)


def isolated_within(within_s: float, function: str, **arguments: Any) -> Any:
    """Call ``module:function`` in a process of its own, with arguments and a result that JSON can carry.

    The process and all that it started end before this returns. Raises NotMeasured with the call's error, and
    if it takes longer than ``within_s``.
    """
    with tempfile.TemporaryFile() as log:
        read_fd, write_fd = os.pipe()
        try:
            child = subprocess.Popen(
                [sys.executable, "-m", "bench.isolation", str(write_fd), function, json.dumps(arguments)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[write_fd],
                start_new_session=True,
            )
        finally:
            os.close(write_fd)
        with os.fdopen(read_fd, "rb") as answers:
            try:
                status = child.wait(within_s)
            except subprocess.TimeoutExpired:
                raise NotMeasured(f"no result within {within_s:.0f} s{_last_line(log)}") from None
            finally:
                _end(child)
            answer = answers.read()
        if not answer:
            raise NotMeasured(f"ended with status {status}{_last_line(log)}")
    result = json.loads(answer)
    if "error" in result:
        raise NotMeasured(result["error"])
    return result["value"]


def rate(function: str, jobs: int, **where: object) -> dict[str, float]:
    """Call a function of ``bench.systems`` for so many jobs; its result is the reading ``jobs_per_s``."""
    return {"jobs_per_s": isolated(f"bench.systems.{function}", jobs=jobs, **where)}


def _end(child: subprocess.Popen[bytes]) -> None:
    """End all processes that the child left behind: those of its process group."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _last_line(log: Any) -> str:
    log.seek(0)
    lines = log.read().decode(errors="replace").strip().splitlines()
    return f": {lines[-1]}" if lines else ""


def _run(write_fd: int, function: str, arguments: dict[str, Any]) -> None:
    """In the child: call, answer, and end without waiting for threads of the contestant."""
    module, _, name = function.partition(":")
    try:
        answer = {"value": getattr(importlib.import_module(module), name)(**arguments)}
    except ModuleNotFoundError as exc:
        answer = {"error": f"not installed: {exc.name}"}
    except NotMeasured as exc:
        answer = {"error": str(exc)}
    except Exception as exc:  # noqa: BLE001 - whatever it is, it is the answer
        answer = {"error": f"{type(exc).__name__}: {exc}"}
    os.write(write_fd, json.dumps(answer).encode())
    os._exit(0)


if __name__ == "__main__":
    _run(int(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]))
