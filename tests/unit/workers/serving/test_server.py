"""One of several processes serves a port, and another takes it over."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request

import pytest

from tests.helpers.ports import free_port
from tests.helpers.waiting import wait_for
from workers.serving.answers import Answer
from workers.serving.server import Port


@pytest.fixture
def port() -> int:
    return free_port()


def serving(name: str, port: int) -> Port:
    def answer(path: str, accept: str) -> Answer:
        if path == "/fails":
            raise RuntimeError("told on purpose")
        return Answer(200, "text/plain", f"{name} {path} {accept}".encode())

    return Port("127.0.0.1", port, answer)


def asked(port: int, path: str = "/livez?x=1") -> str:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Accept": "text/plain"})
    with urllib.request.urlopen(request, timeout=5) as response:
        text: str = response.read().decode()
        return text


def test_the_first_serves_and_the_next_takes_over(port: int) -> None:
    first, second = serving("first", port), serving("second", port)
    try:
        assert first.try_to_serve()
        assert not second.try_to_serve()
        assert asked(port) == "first /livez text/plain"
        first.close()
        wait_for(second.try_to_serve)
        assert asked(port) == "second /livez text/plain"
    finally:
        first.close()
        second.close()


def test_an_answer_that_fails_is_a_500_and_the_next_one_comes(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    one = serving("one", port)
    try:
        assert one.try_to_serve()
        with pytest.raises(urllib.error.HTTPError, match="500"):
            asked(port, "/fails")
        assert "request failed path=/fails" in caplog.text
        assert asked(port)
    finally:
        one.close()


def test_an_address_that_this_machine_does_not_have_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    elsewhere = Port("192.0.2.1", 9090, lambda *_: Answer(200, "", b""))
    assert not elsewhere.try_to_serve()
    assert not elsewhere.try_to_serve()
    assert caplog.text.count("port not served 192.0.2.1:9090") == 1


def test_a_process_without_room_for_a_thread_leaves_the_port_to_another(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    first, second = serving("first", port), serving("second", port)
    try:
        with monkeypatch.context() as full:
            full.setattr(threading.Thread, "start", no_room)
            with pytest.raises(RuntimeError):
                first.try_to_serve()
        assert second.try_to_serve()
        assert not first.try_to_serve()
    finally:
        first.close()
        second.close()
