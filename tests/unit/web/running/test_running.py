"""How serving processes report what they do, listen, and are replaced."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import timedelta

import pytest
import uvicorn
from fastapi import FastAPI

from tests.helpers.hanging import hang, report_and_hang
from web.live.bridge import Bridge
from web.running import processes
from web.running.process import Secrets, keep_showing
from web.running.processes import Processes
from web.running.server import CannotListen, Server, listen
from workers import Cluster

Status = Mapping[str, object]


async def _no_app(*_: object) -> None:
    raise AssertionError


def test_a_reader_that_stalls_does_not_stall_the_loop() -> None:
    goes_on, is_shown = threading.Event(), threading.Event()

    def stalls(_status: Status) -> None:
        is_shown.set()
        assert goes_on.wait(30)

    async def run() -> None:
        began_at = time.monotonic()
        shown = asyncio.create_task(keep_showing(dict, stalls, uvicorn.Server(uvicorn.Config(_no_app)), 0))
        try:
            while not is_shown.is_set():
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert time.monotonic() - began_at < 5
        finally:
            goes_on.set()
            shown.cancel()

    asyncio.run(run())


def test_a_process_whose_parent_is_gone_stops_and_another_fault_does_not_matter() -> None:
    faults = iter([ValueError("odd"), OSError("full"), BrokenPipeError()])
    server = uvicorn.Server(uvicorn.Config(_no_app))

    def fails(_status: Status) -> None:
        assert not server.should_exit
        raise next(faults)

    asyncio.run(asyncio.wait_for(keep_showing(dict, fails, server, 0), 30))
    assert server.should_exit
    assert next(faults, None) is None


def a_bridge(monkeypatch: pytest.MonkeyPatch, serve: Callable[..., None], *, silent_s: float) -> Processes:
    """One process, started, which runs ``serve``."""
    monkeypatch.setattr(processes, "_serve", serve)
    monkeypatch.setattr(processes, "_SILENT_S", silent_s)
    monkeypatch.setattr(processes, "_AGAIN_S", 0.0)
    running = Processes("bridge", Secrets(None, "s" * 32), 1, timedelta(0), lambda _status: None)
    running._start()
    return running


def listen_until_none_runs(running: Processes) -> None:
    deadline = time.monotonic() + 20
    while running._running and time.monotonic() < deadline:
        running._listen()
    assert not running._running


def test_a_process_that_reports_nothing_is_killed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    running = a_bridge(monkeypatch, report_and_hang, silent_s=0.1)
    with caplog.at_level(logging.ERROR, "web"):
        listen_until_none_runs(running)
    assert "it reported nothing for" in caplog.text
    assert "another starts" in caplog.text


def test_a_process_that_starts_may_take_longer_than_one_that_runs_may_be_silent(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    running = a_bridge(monkeypatch, hang, silent_s=0.0)
    running._kill_silent()
    assert not caplog.records
    (pipe,) = running._running
    running._heard_at[pipe] -= processes._STARTS_WITHIN_S
    listen_until_none_runs(running)
    assert "it reported nothing for 120 s" in caplog.text


def test_a_port_that_another_bridge_shares_is_taken_for_who_asks_alone() -> None:
    with closing(listen("127.0.0.1", 0)) as other:
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(CannotListen, match=f"cannot listen on 127.0.0.1:{port}"):
            listen("127.0.0.1", port, is_shared=False)
        listen("127.0.0.1", port).close()
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    listen("127.0.0.1", port, is_shared=False).close()


def test_the_address_of_a_client_is_that_of_its_connection() -> None:
    bridge = Bridge(Cluster(("127.0.0.1:1",)), ["events"])
    server = Server(FastAPI(), bridge, drain=timedelta(0))
    assert not server.config.proxy_headers
