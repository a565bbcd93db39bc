"""The thread of a client is woken once, and each time it must be; Ctrl-C is heard while it ends."""

from __future__ import annotations

import itertools
import logging
import signal
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from kafka.net.selector import NetworkSelector

from workers.kafka.patches.selector import CoalescingSelector


@pytest.fixture
def net(request: pytest.FixtureRequest) -> Iterator[Any]:
    made = request.param()
    yield made
    made.close()


upstream = pytest.mark.xfail(reason="kafka-python writes each time")


@pytest.mark.parametrize(
    "net", [CoalescingSelector, pytest.param(NetworkSelector, marks=upstream)], indirect=True
)
def test_it_is_woken_once_however_often_it_is_asked(net: Any) -> None:
    for _ in range(5):
        net.wakeup()
    assert net._wakeup_r.recv(100) == b"\0"


@pytest.mark.parametrize("net", [CoalescingSelector], indirect=True)
def test_once_it_has_run_it_can_be_woken_again(net: Any) -> None:
    for _ in range(3):
        net.wakeup()
        net.poll(timeout_ms=0)
        with pytest.raises(BlockingIOError):
            net._wakeup_r.recv(1)


@pytest.mark.parametrize("net", [CoalescingSelector], indirect=True)
def test_no_call_from_another_thread_is_missed(net: Any) -> None:
    net.start()
    called = [threading.Event() for _ in range(2_000)]
    for number, event in enumerate(called):
        net.call_soon_threadsafe(event.set)
        if number % 100 == 0:
            assert event.wait(30)
    assert all(event.wait(30) for event in called)
    net.stop(10_000)


@pytest.mark.usefixtures("library")  # whatever connected before in this process has calmed it
@pytest.mark.parametrize(
    "kind",
    [
        CoalescingSelector,
        pytest.param(NetworkSelector, marks=pytest.mark.xfail(reason="it looks at the clock")),
    ],
)
def test_a_step_that_a_busy_machine_holds_up_is_no_news(
    kind: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = kind()
    clock = itertools.count()
    monkeypatch.setattr("kafka.net.selector.time.monotonic", lambda: next(clock))
    net.call_soon(lambda: None)
    with caplog.at_level(logging.WARNING):
        net.poll(timeout_ms=0)
    net.close()
    assert caplog.text == ""


swallowed = pytest.mark.xfail(reason="kafka-python logs it", raises=pytest.fail.Exception)


@pytest.mark.parametrize("kind", [CoalescingSelector, pytest.param(NetworkSelector, marks=swallowed)])
def test_an_interrupt_that_comes_in_the_last_steps_is_not_lost(kind: Any) -> None:
    for _ in range(200):  # it meets the main thread at each step of its wait
        net = kind()
        net.call_soon(lambda: signal.raise_signal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            net.close()


class Silent(socket.socket):
    """A socket whose text nobody may ask for."""

    def __repr__(self) -> str:
        raise AssertionError("its addresses take two system calls")


asks = pytest.mark.xfail(reason="kafka-python asks first whether it waits", raises=AssertionError)


@pytest.mark.parametrize(
    "net", [CoalescingSelector, pytest.param(NetworkSelector, marks=asks)], indirect=True
)
def test_waiting_for_a_socket_makes_no_exception_with_its_text(net: Any) -> None:
    with Silent() as one:
        net.add_reader(one, lambda: None)
        net.remove_reader(one)


@pytest.mark.parametrize("net", [CoalescingSelector, NetworkSelector], indirect=True)
def test_a_socket_is_waited_for_by_one_reader_and_one_writer(net: Any) -> None:
    one, other = socket.socketpair()
    with one, other:
        read, wrote = threading.Event(), threading.Event()
        net.add_reader(one, read.set)
        net.add_writer(one, wrote.set)
        with pytest.raises(RuntimeError, match="already registered"):
            net.add_reader(one, read.set)
        net.poll(timeout_ms=0)
        assert (read.is_set(), wrote.is_set()) == (False, True)
        net.remove_writer(one)
        other.send(b"!")
        net.poll(timeout_ms=0)
        assert read.is_set()
        net.remove_reader(one)
