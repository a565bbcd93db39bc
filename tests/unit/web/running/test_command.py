"""What a start makes for its processes, and what it warns of."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest

from settings import Settings
from tests.helpers.settings import load
from web import app
from web.app import Parts
from web.dashboard.sessions.cookie import Session, SessionCookies
from web.running import command, process
from web.running.process import Kind, Secrets

JWKS = "https://login.example.com/jwks.json"
EVERYWHERE = {"WEB_HOST": "0.0.0.0"}
SECRET = "s" * 32


class _Start:
    """A start that listens nowhere: of each process it has the parts, as that makes them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.parts: list[Parts] = []
        self._monkeypatch = monkeypatch
        monkeypatch.setattr(command, "set_up_log", lambda *_: None)
        monkeypatch.setattr(command, "listen", lambda *_, **__: _Closed())
        monkeypatch.setattr(command, "Processes", lambda *given: _Processes(self, *given[:3]))
        monkeypatch.setattr(command, "serve", lambda kind, secrets, _show: self.serve(kind, secrets))

    def run(self, environ: dict[str, str], *, kind: Kind = "web", processes: int = 1) -> list[Parts]:
        settings = load(environ)
        for module in (command, process):
            self._monkeypatch.setattr(module, "load_settings", lambda: settings)
        command.run(kind, processes=processes, as_json=True)
        return self.parts

    def serve(self, kind: Kind, secrets: Secrets) -> None:
        make_parts = app.make_parts

        def made(settings: Settings, **given: Any) -> Parts:
            self.parts.append(make_parts(settings, **given))
            raise _Made

        with self._monkeypatch.context() as patched:
            patched.setattr(app, "make_parts", made)
            with pytest.raises(_Made):
                process.serve(kind, secrets, lambda _status: None)

    def close(self) -> None:
        for parts in self.parts:
            if parts.dashboard is not None:
                parts.dashboard.close()


class _Made(Exception):
    """The parts are made; nothing is served."""


class _Closed:
    def close(self) -> None: ...


class _Processes:
    def __init__(self, start: _Start, kind: Kind, secrets: Secrets, count: int) -> None:
        self._start, self._kind, self._secrets, self._count = start, kind, secrets, count

    def run(self) -> None:
        for _ in range(self._count):
            self._start.serve(self._kind, self._secrets)


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Start]:
    start = _Start(monkeypatch)
    yield start
    start.close()


def cookies_of(parts: Parts) -> SessionCookies:
    assert parts.dashboard is not None
    return parts.dashboard.desk.cookies


@pytest.mark.parametrize("environ", [{}, {"WEB_JWT_JWKS": JWKS}, {"WEB_JWT_SECRET": SECRET}], ids=str)
def test_a_session_that_one_process_began_is_known_in_the_others(
    start: _Start, environ: dict[str, str]
) -> None:
    one, other = map(cookies_of, start.run(environ, processes=2))
    session = Session("ana@example.com", "viewer", time.time() + 60)
    assert other.read(one.write(session)) == session
    [another_start] = map(cookies_of, start.run(environ)[2:])
    assert (another_start.read(one.write(session)) == session) == ("WEB_JWT_SECRET" in environ)


@pytest.mark.parametrize(
    ("environ", "kind", "is_told"),
    [
        (EVERYWHERE | {"WEB_JWT_JWKS": JWKS}, "web", True),
        (EVERYWHERE | {"WEB_JWT_JWKS": JWKS}, "bridge", False),
        (EVERYWHERE | {"WEB_JWT_JWKS": JWKS, "WEB_SESSION_SECRET": SECRET}, "web", False),
        (EVERYWHERE | {"WEB_JWT_SECRET": SECRET}, "web", False),
        ({"WEB_JWT_JWKS": JWKS}, "web", False),
    ],
    ids=str,
)
def test_it_is_told_once_that_other_pods_would_not_know_the_sessions(
    start: _Start, caplog: pytest.LogCaptureFixture, environ: dict[str, str], kind: Kind, is_told: bool
) -> None:
    with caplog.at_level(logging.WARNING, "web"):
        start.run(environ, kind=kind, processes=2)
    told = [message for message in caplog.messages if message.startswith("dashboard.sessions")]
    assert len(told) == is_told
    assert all("set WEB_SESSION_SECRET" in message for message in told)
