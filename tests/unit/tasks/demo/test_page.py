"""The page that the demo serves, with a session for its user."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tasks.demo import web
from web.access import Access
from web.keys import SecretKey

SECRET = "a secret of thirty-two bytes or more"


def test_a_page_that_is_not_built_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "_BUILT", tmp_path / "out")
    assert web._page(tmp_path, SECRET) is None


def test_the_token_of_its_session_may_publish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = tmp_path / "out"
    built.mkdir()
    (built / "index.html").write_text("page")
    monkeypatch.setattr(web, "_BUILT", built)
    page = web._page(tmp_path, SECRET)
    assert page is not None
    assert (page / "index.html").read_text() == "page"
    assert [file.name for file in built.iterdir()] == ["index.html"]
    session = json.loads((page / "session.json").read_text())
    identity = asyncio.run(Access(SecretKey(SECRET), audience="todo").identify(session["token"]))
    assert (identity.user, identity.roles) == (session["user"], frozenset({"publisher"}))
