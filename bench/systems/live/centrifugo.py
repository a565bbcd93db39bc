"""Centrifugo, the server that live updates of other systems come from: https://centrifugal.dev."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import jwt
import psutil

from ...errors import NotMeasured
from ...web_server import free_port, started
from .client import Protocol, framed

#: Each client gets what is published there.
CHANNEL = "all"
#: Its JSON protocol: a ping is an empty command, as is the answer.
PROTOCOL = Protocol("/connection/websocket", None, b"{}", framed(b"{}"))
_KEY = "a key of thirty-two bytes or more"


def hello(number: int) -> bytes:
    """The first frame of a user, whose token subscribes to the channel."""
    claims = {"sub": f"user-{number}", "channels": [CHANNEL], "exp": int(time.time()) + 86_400}
    return framed(json.dumps({"id": 1, "connect": {"token": jwt.encode(claims, _KEY)}}).encode())


@contextmanager
def served() -> Iterator[tuple[int, psutil.Process]]:
    """Start it on a free port. Raises NotMeasured if there is no `centrifugo` on the PATH."""
    program = shutil.which("centrifugo")
    if program is None:
        raise NotMeasured("no centrifugo: go install github.com/centrifugal/centrifugo/v6@v6.9.1")
    port = free_port()
    settings = {
        "http_server": {"address": "127.0.0.1", "port": str(port)},
        "client": {"token": {"hmac_secret_key": _KEY}},
        "http_api": {"insecure": True},
        "health": {"enabled": True, "handler_prefix": "/readyz"},
        "log": {"level": "error"},
    }
    with TemporaryDirectory() as folder:
        file = Path(folder) / "config.json"
        file.write_text(json.dumps(settings))
        with started([program, "--config", str(file)], port, "Centrifugo") as process:
            yield port, process
