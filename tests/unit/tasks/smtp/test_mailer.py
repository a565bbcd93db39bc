"""The mailer where the process has no thread left."""

from __future__ import annotations

import threading

import pytest

from tasks.smtp.mail import Mail
from tasks.smtp.mailer import MAILS_PER_CONNECTION, Mailer
from tasks.smtp.server import Server


def test_mails_that_no_thread_can_send_are_not_in_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    mailer = Mailer(Server("localhost", 25), connections=1)
    for _ in range(MAILS_PER_CONNECTION + 1):
        with pytest.raises(RuntimeError, match="new thread"):
            mailer.submit(Mail("todo@example.com", "ana@example.com", b""), print)
    assert mailer.is_ready
    mailer.close()
