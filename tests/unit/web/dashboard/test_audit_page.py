"""The chatbot's pages of the audit trail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.audit.trail import AuditStore
from tasks.storage.database import Database
from tests.helpers.samples import NOON, a_todo, an_event
from tests.unit.web.dashboard.conftest import Client
from web.chatbot import audit
from web.chatbot.pages import pages
from web.dashboard.application import Dashboard


def test_the_history_of_a_todo_is_a_list_only_if_there_is_one(
    client: Client, make: Callable[..., Dashboard], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(f"sqlite:///{tmp_path / 'todo.db'}")
    database.upgrade()
    AuditStore(database).record_all([an_event(todo=a_todo(id="todo-1"))], recorded_at=NOON)
    monkeypatch.setattr(audit, "database", lambda: database)
    browser = client("viewer", board=make(pages=[pages]))
    known, unknown = (browser.get("/audit/todo", params={"id": one}).text for one in ("todo-1", "none"))
    assert ('<ol class="story">\n<li>' in known, "Nothing is recorded" in known) == (True, False)
    assert ("<ol" in unknown, "Nothing is recorded" in unknown) == (False, True)
    database.dispose()
