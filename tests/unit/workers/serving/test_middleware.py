"""A port that another program has: workers run all the same, and say so."""

from __future__ import annotations

import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.helpers.waiting import wait_for
from workers.serving import middleware
from workers.serving.answers import Answers
from workers.serving.middleware import _ServingThread
from workers.serving.parts import Parts


def test_a_port_of_another_program_is_named_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(middleware, "_EVERY_S", 0.01)
    gauges: Any = SimpleNamespace(close=lambda: None)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        place = taken.getsockname()
        thread = _ServingThread(place, Parts(tmp_path), Answers, lambda: True, gauges)
        thread.start()
        try:
            wait_for(lambda: "belongs to another program" in caplog.text)
        finally:
            thread.stop()
            thread.join(10)
    assert caplog.text.count("belongs to another program") == 1
    assert not thread.is_alive()
