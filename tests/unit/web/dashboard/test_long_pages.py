"""Pages that take long: they leave threads to the others, however often somebody asks for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from tasks.audit.verify import Verdict
from tasks.storage.database import Database
from tasks.stories import jobs
from tests.helpers.waiting import wait_for
from tests.unit.web.dashboard.conftest import Client
from web.chatbot import audit
from web.chatbot import pages as chatbot
from web.dashboard import Dashboard
from workers.delays import waiting_jobs
from workers.errors import WrongUsage

#: More than the threads that all routes of a process share.
MANY = 60


class Slow:
    """What takes long: it goes on when it may."""

    def __init__(self) -> None:
        self.may_go_on = threading.Event()
        self.running = self.calls = 0
        self.most_running = 0
        self._lock = threading.Lock()

    def run(self) -> None:
        with self._lock:
            self.calls += 1
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        assert self.may_go_on.wait(60)
        with self._lock:
            self.running -= 1


@pytest.fixture
def slow() -> Slow:
    return Slow()


@contextmanager
def asking(many: int, ask: Callable[[], Any], slow: Slow) -> Iterator[list[Future[Any]]]:
    """Ask so often at the same time; what takes long goes on after the block, and all answers are there."""
    with ThreadPoolExecutor(many) as threads:
        try:
            yield [threads.submit(ask) for _ in range(many)]
        finally:
            slow.may_go_on.set()


def test_one_verification_of_the_audit_trail_runs_at_a_time(
    client: Client, make: Callable[..., Dashboard], slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def verify(*_: Any, **__: Any) -> Verdict:
        slow.run()
        return Verdict(rows=7)

    monkeypatch.setattr(audit, "verify", verify)
    monkeypatch.setattr(audit, "time", SimpleNamespace(monotonic=lambda: 1_234.0 * slow.running))
    monkeypatch.setattr(audit, "database", lambda: None)
    monkeypatch.setattr(audit, "archive_folder", lambda: None)
    browser = client("viewer", board=make(pages=[chatbot.pages]))
    with asking(1, lambda: browser.post("/audit/check"), slow) as answers:
        wait_for(lambda: slow.running)
        second = browser.post("/audit/check")
    assert second.status_code == 409
    assert "Somebody began that 21 min ago. Nothing was done" in second.text
    first = answers[0].result()
    assert first.status_code == 200
    assert "The chain is whole" in first.text
    assert browser.post("/audit/check").status_code == 200
    assert slow.calls == 2


def test_a_verification_that_fails_is_over(
    client: Client, make: Callable[..., Dashboard], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> Verdict:
        raise WrongUsage("it is locked")

    monkeypatch.setattr(audit, "verify", fails)
    monkeypatch.setattr(audit, "database", lambda: None)
    monkeypatch.setattr(audit, "archive_folder", lambda: None)
    browser = client("viewer", board=make(pages=[chatbot.pages]))
    assert [browser.post("/audit/check").status_code for _ in range(2)] == [400, 400]


def test_many_who_ask_for_the_delayed_jobs_leave_threads_to_the_others(
    client: Client, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: Any) -> Iterator[Any]:
        slow.run()
        return iter(())

    monkeypatch.setattr(waiting_jobs, "read", read)
    with client("viewer") as browser:
        with asking(MANY, lambda: browser.get("/delayed"), slow) as answers:
            wait_for(lambda: slow.running == 2)
            assert browser.get("/queues").status_code == 200
        assert {answer.result().status_code for answer in answers} == {200}
    assert slow.most_running == 2


def test_few_stories_of_events_search_for_jobs_at_a_time_whoever_asks(
    client: Client,
    make: Callable[..., Dashboard],
    slow: Slow,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unresolved(*_: Any) -> Iterator[Any]:
        slow.run()
        return iter(())

    database = Database(f"sqlite:///{tmp_path / 'todo.db'}")
    database.upgrade()
    monkeypatch.setattr(chatbot, "database", lambda: database)
    monkeypatch.setattr(jobs, "unresolved", unresolved)
    monkeypatch.setattr(waiting_jobs, "read", lambda *_: iter(()))
    browser = client("viewer", board=make(pages=[chatbot.pages]))
    with asking(20, lambda: browser.get(f"/events?id={uuid4()}"), slow) as answers:
        wait_for(lambda: sum(answer.done() for answer in answers) >= 18)
    database.dispose()
    assert {answer.result().status_code for answer in answers} == {404}
    assert slow.calls == slow.most_running == 2
