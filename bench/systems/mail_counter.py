"""An SMTP server that takes every mail and notes it: ``python -m bench.systems.mail_counter FILE``.

As quick as aiosmtpd gets, in a process of its own: what it costs is not the worker's. It prints its port, and
adds a line to FILE for each mail, before its answer: the time on the machine's monotonic clock, and the
mail's Message-ID.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope

_MESSAGE_ID = re.compile(rb"^message-id:\s*<([^>\s]+)>", re.IGNORECASE | re.MULTILINE)


class _Connection(SMTP):
    #: Also the size of the buffer: with aiosmtpd's own, each mail stops and starts its connection many times.
    line_length_limit = 1 << 16


class _Handler:
    def __init__(self, file: str) -> None:
        self._fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        found = _MESSAGE_ID.search(envelope.content)
        name = found[1].decode() if found else "none"
        os.write(self._fd, f"{time.monotonic()} {name}\n".encode())
        return "250 OK"


async def _serve(file: str) -> None:
    loop, handler = asyncio.get_running_loop(), _Handler(file)
    server = await loop.create_server(
        lambda: _Connection(handler, hostname="localhost", loop=loop), "127.0.0.1", 0
    )
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
