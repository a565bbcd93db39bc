"""A server that speaks SMTP as badly as a test wants, over real sockets: aiosmtpd keeps to the protocol."""

from __future__ import annotations

import socket
import threading
from collections import deque
from contextlib import suppress
from enum import Enum, auto
from types import TracebackType
from typing import Self

#: What it answers to; CONTENT is what comes after DATA.
STAGES = ("GREETING", "EHLO", "MAIL", "RCPT", "DATA", "CONTENT")


class Fault(Enum):
    """What it can do instead of answering."""

    #: Close the connection.
    CLOSE = auto()
    #: Say nothing any more.
    SILENCE = auto()


class ScriptedSmtp:
    """Listens on 127.0.0.1 while it is entered; a thread for each connection.

    ``script`` has for each stage what to do the next times, before it answers as usual. It notes all that it
    hears, contents as one line. ``packet_bytes`` is the most that it sends at once; with 0 it sends replies
    together if their commands came together.
    """

    def __init__(self, *, pipelining: bool = True, packet_bytes: int = 0) -> None:
        self.script: dict[str, deque[bytes | Fault]] = {stage: deque() for stage in (*STAGES, "RSET")}
        self.heard: list[bytes] = []
        #: For each line heard, the number of the packet in which it ended.
        self.packets: list[int] = []
        self.contents: list[bytes] = []
        self.connections = 0
        #: How many connections there are now.
        self.open = 0
        #: Contents are answered while it is set.
        self.may_answer = threading.Event()
        self.may_answer.set()
        offers = [b"PIPELINING"] if pipelining else []
        lines = [b"localhost", *offers, b"HELP"]
        self._replies = {
            "GREETING": b"220 localhost\r\n",
            "EHLO": b"".join(b"250-%b\r\n" % line for line in lines[:-1]) + b"250 HELP\r\n",
            "DATA": b"354 Go on\r\n",
            "QUIT": b"221 Bye\r\n",
        }
        self._packet_bytes = packet_bytes
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._sockets: list[socket.socket] = []
        accepting = threading.Thread(target=self._accept)
        accepting.start()
        self._threads.append(accepting)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.may_answer.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        for one in self._sockets:
            _shut(one)
        for thread in self._threads:
            thread.join()

    def say(self, words: bytes) -> None:
        """Say something unasked on the last connection."""
        self._sockets[-1].sendall(words)

    def packets_of(self, start: bytes) -> list[int]:
        """The packets in which the lines came that begin like this."""
        return [
            number for line, number in zip(self.heard, self.packets, strict=True) if line.startswith(start)
        ]

    def hear(self, line: bytes, packet: int) -> None:
        self.heard.append(line)
        self.packets.append(packet)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            self.open += 1
            self._sockets.append(connection)
            thread = threading.Thread(target=_Session(self, connection).run)
            thread.start()
            self._threads.append(thread)

    def answer_to(self, stage: str) -> bytes | Fault:
        if stage == "CONTENT":
            self.may_answer.wait()
        scripted = self.script.get(stage)
        return scripted.popleft() if scripted else self._replies.get(stage, b"250 OK\r\n")


class _Session:
    def __init__(self, server: ScriptedSmtp, connection: socket.socket) -> None:
        self._server = server
        self._socket = connection
        self._rest = b""
        self._out = b""
        self._packet = 0

    def run(self) -> None:
        with self._socket, suppress(OSError):
            is_on = self._answer("GREETING")
            while is_on:
                line = self._read_to(b"\r\n")
                self._server.hear(line, self._packet)
                is_on = self._answer(line[:4].decode(errors="replace").upper())
        self._server.open -= 1

    def _answer(self, stage: str) -> bool:
        answer = self._server.answer_to(stage)
        if isinstance(answer, bytes):
            self._out += answer
            if stage == "DATA" and answer.startswith(b"354"):
                return self._take_content()
            return stage != "QUIT" or self._flush()
        self._flush()
        if answer is Fault.SILENCE:
            while self._socket.recv(65_536):
                pass
        return False

    def _take_content(self) -> bool:
        self._rest = b"\r\n" + (self._rest or self._more())
        content = self._read_to(b"\r\n.\r\n").removeprefix(b"\r\n")
        self._server.hear(content, self._packet)
        self._server.contents.append(content)
        return self._answer("CONTENT")

    def _read_to(self, mark: bytes) -> bytes:
        while mark not in self._rest:
            self._rest += self._more()
        line, _, self._rest = self._rest.partition(mark)
        return line

    def _more(self) -> bytes:
        self._flush()
        self._packet += 1
        if not (data := self._socket.recv(65_536)):
            raise ConnectionResetError
        return data

    def _flush(self) -> bool:
        out, self._out = self._out, b""
        size = self._server._packet_bytes or len(out) or 1
        for start in range(0, len(out), size):
            self._socket.sendall(out[start : start + size])
        return False


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):  # it is closed
        connection.shutdown(socket.SHUT_RDWR)
