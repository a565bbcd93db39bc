"""The replies of an SMTP server (RFC 5321, 4.2), read from its bytes as they come. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..text import one_line

#: The most that a reply may have, all of its lines together: what a server sends without end fills no memory.
MAX_REPLY_BYTES = 32_768
#: The reply of a server that is about to close the connection.
CLOSING = 421

_TOO_LONG = f"It sent a reply of more than {MAX_REPLY_BYTES} bytes"
_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)


class Ended(Exception):
    """The connection is of no more use: lost, or the server leaves, or it sent what belongs to nothing.

    ``reply`` is the server's good-bye, if it said any; else the text says what happened.
    """

    def __init__(self, text: str, reply: Reply | None = None) -> None:
        super().__init__(text)
        self.reply = reply


@dataclass(frozen=True)
class Reply:
    """One reply. A byte of ``text`` that is not UTF-8 is a surrogate; lines are separated by ``\\n``."""

    code: int
    text: str

    @property
    def is_yes(self) -> bool:
        return 200 <= self.code < 300

    @property
    def asks_for_more(self) -> bool:
        return 300 <= self.code < 400

    @property
    def is_no(self) -> bool:
        return self.code >= 400

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


class ReplyReader:
    """Puts replies together: one may come in many packets, and many in one packet."""

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[bytes] = []
        self._size = 0

    def read(self, data: bytes) -> Iterator[Reply]:
        """Yield the replies that ``data`` completes. Raises Ended when there is something else."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if (reply := self._add(line)) is not None:
                yield reply
        if self._size + len(self._rest) > MAX_REPLY_BYTES:
            raise Ended(_TOO_LONG)

    def _add(self, line: bytes) -> Reply | None:
        self._size += len(line)
        if self._size > MAX_REPLY_BYTES:
            raise Ended(_TOO_LONG)
        found = _LINE.fullmatch(line.rstrip(b"\r"))
        if found is None:
            shown = line[:200].decode(errors="backslashreplace")
            raise Ended(f"It sent what is no SMTP reply: {one_line(shown)}")
        code, separator, text = found.groups()
        self._lines.append((text or b"").strip())
        if separator == b"-":
            return None
        reply = Reply(int(code), b"\n".join(self._lines).decode(errors="surrogateescape"))
        self._lines, self._size = [], 0
        return reply
