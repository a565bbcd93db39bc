"""The mail server of the benchmarks: it takes what a client sends, pipelined or not, and notes it once."""

from __future__ import annotations

import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

MAIL = b"Message-ID: <%d@example.com>\r\nSubject: hello\r\n\r\n..a line that begins with a dot\r\n"


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return tmp_path / "mails"


@pytest.fixture
def port(notes: Path) -> Iterator[int]:
    command = [sys.executable, "-m", "bench.systems.pipeline.mail_sink", str(notes)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        yield int(server.stdout.readline())
        server.kill()


def noted(notes: Path) -> list[str]:
    return [line.split()[1] for line in notes.read_text().splitlines()]


def test_an_ordinary_client_delivers(port: int, notes: Path) -> None:
    with smtplib.SMTP("127.0.0.1", port) as client:
        for number in range(3):
            client.sendmail("a@example.com", ["b@example.com"], MAIL % number)
        assert client.has_extn("pipelining")
    assert noted(notes) == ["0@example.com", "1@example.com", "2@example.com"]


def test_pipelined_mails_are_taken_wherever_the_stream_is_cut(port: int, notes: Path) -> None:
    stream = b"EHLO me\r\n"
    for number in range(20):
        stream += (
            b"MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n" + MAIL % number + b".\r\n"
        )
    stream += b"BREW coffee\r\nQUIT\r\n"
    with closing(socket.create_connection(("127.0.0.1", port), timeout=10)) as client:
        for at in range(0, len(stream), 17):
            client.sendall(stream[at : at + 17])
        with client.makefile("rb") as answers:
            codes = [line[:3] for line in answers]
    assert noted(notes) == [f"{number}@example.com" for number in range(20)]
    assert codes == [b"220", *[b"250"] * 4, *[b"250", b"250", b"354", b"250"] * 20, b"502", b"221"]
