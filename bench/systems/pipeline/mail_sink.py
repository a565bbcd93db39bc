"""An SMTP server that takes every mail and notes it.

``python -m bench.systems.pipeline.mail_sink FILE [PORT]``

It does as little as the protocol allows (RFC 5321, with PIPELINING of RFC 2920), so that the worker is what a
benchmark measures and not its mail server. It prints its port. For each mail it adds a line to FILE before it
answers: the time on the machine's monotonic clock, and the mail's Message-ID.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from collections.abc import Callable

_MESSAGE_ID = re.compile(rb"^message-id:\s*<([^>\s]+)>", re.IGNORECASE | re.MULTILINE)
_END_OF_LINE = b"\r\n"
_END_OF_MAIL = b"\r\n.\r\n"

_ANSWERS = {
    b"EHLO": b"250-localhost\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
    b"HELO": b"250 localhost\r\n",
    b"MAIL": b"250 OK\r\n",
    b"RCPT": b"250 OK\r\n",
    b"RSET": b"250 OK\r\n",
    b"NOOP": b"250 OK\r\n",
    b"DATA": b"354 End data with <CR><LF>.<CR><LF>\r\n",
    b"QUIT": b"221 Bye\r\n",
}
_UNKNOWN = b"502 Command not implemented\r\n"


class Session(asyncio.Protocol):
    """One connection; ``note`` is called with the content of each mail before it is confirmed."""

    def __init__(self, note: Callable[[bytes], object]) -> None:
        self._note = note
        self._buffer = bytearray()
        self._in_mail = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 localhost ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        """Answer all complete commands and mails at once, in one write."""
        self._buffer += data
        answers = bytearray()
        while (answer := self._next_answer()) is not None:
            answers += answer
        if answers:
            self._transport.write(bytes(answers))
            if answers.endswith(_ANSWERS[b"QUIT"]):
                self._transport.close()

    def _next_answer(self) -> bytes | None:
        end_mark = _END_OF_MAIL if self._in_mail else _END_OF_LINE
        end = self._buffer.find(end_mark)
        if end < 0:
            return None
        content = bytes(self._buffer[:end])
        del self._buffer[: end + len(end_mark)]
        if self._in_mail:
            self._in_mail = False
            self._note(content)
            return b"250 OK\r\n"
        verb = content[:4].upper()
        self._in_mail = verb == b"DATA"
        return _ANSWERS.get(verb, _UNKNOWN)


async def _serve(file: str, port: int = 0) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(mail: bytes) -> None:
        found = _MESSAGE_ID.search(mail)
        name = found[1].decode() if found else "none"
        os.write(descriptor, f"{time.monotonic()} {name}\n".encode())

    server = await asyncio.get_running_loop().create_server(lambda: Session(note), "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0))
