"""Starts a server for HTTP as a process of its own, and waits until it is ready."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import psutil

from .errors import NotMeasured

_START_S = 60.0


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def cpu_s(process: psutil.Process) -> float:
    """Processor seconds that a process has used so far."""
    return float(sum(process.cpu_times()[:2]))


@contextmanager
def started(
    command: Sequence[str], port: int, name: str, settings: Mapping[str, str] | None = None
) -> Iterator[psutil.Process]:
    """Run a server that answers `/readyz` on ``port``; it is killed at the end.

    ``settings`` are added to the environment. Raises NotMeasured if it is not ready in a minute.
    """
    program = subprocess.Popen(command, env=os.environ | dict(settings or {}))
    try:
        deadline = time.monotonic() + _START_S
        while not _is_ready(port):
            if program.poll() is not None or time.monotonic() > deadline:
                raise NotMeasured(f"{name} did not start")
            time.sleep(0.1)
        yield psutil.Process(program.pid)
    finally:
        program.kill()
        program.wait()


def _is_ready(port: int) -> bool:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        connection.request("GET", "/readyz")
        status = connection.getresponse().status
        connection.close()
    except OSError:
        return False
    return status == 200
