"""Runs a Redis server until it is told to stop."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time

from bench.child import Channel

_START_TIMEOUT_S = 10.0


def run(channel: Channel, command: str) -> None:
    """Start it on a free port, without persistence: Redis at its fastest."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
        server = subprocess.Popen([command, *options], cwd=folder)
        try:
            _wait_until_it_listens(server, port)
            channel.tell("ready", port=port)
            channel.stop.wait()
        finally:
            server.terminate()
            server.wait()


def _wait_until_it_listens(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
        else:
            return
        time.sleep(0.02)
