"""Dapr's sidecars, where there is a `daprd` on the PATH."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.helpers.ports import free_port
from tests.helpers.waiting import wait_for

DAPRD = shutil.which("daprd")
#: What `daprd` shows to the application: its APP_API_TOKEN.
TOKEN = "the token of Dapr's sidecar, 32 bytes"


def ask(port: int, method: str, path: str, body: Any = None, **headers: str) -> int:
    """Send a request; returns the status, 0 if nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


@contextmanager
def sidecar(
    components: Path, app_port: int | None, log: Path, env: Mapping[str, str], app_id: str = "todo"
) -> Iterator[int]:
    """Run a sidecar of the application on ``app_port``; yields its own port for HTTP once it is ready.

    Without an ``app_port`` it only publishes.
    """
    assert DAPRD is not None
    port = free_port()
    options = {
        "app-id": app_id,
        "dapr-http-port": port,
        "dapr-grpc-port": free_port(),
        "dapr-internal-grpc-port": free_port(),
        "resources-path": components,
        "enable-metrics": "false",
    }
    if app_port is not None:
        options["app-port"] = app_port
    words = [f"--{name}={value}" for name, value in options.items()]
    with log.open("wb") as output:
        program = subprocess.Popen([DAPRD, *words], stdout=output, stderr=output, env={**os.environ, **env})
    try:
        wait_for(lambda: ask(port, "GET", "/v1.0/healthz") == 204, 60)
        yield port
    finally:
        program.terminate()
        program.wait(30)
