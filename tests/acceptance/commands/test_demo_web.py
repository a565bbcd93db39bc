"""The chatbot's page as a person uses it: typed todos, and what becomes of them, in a browser."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Page, expect

from tests.helpers.browser import bundle_example, chromium, needs_chromium, needs_client

#: How long an effect may take to be seen on a busy machine, in ms.
_WITHIN_MS = 60_000


@pytest.fixture
def demo(bootstrap_servers: str, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """`todo-workers demo --web`, which ends well and leaves nothing."""
    bundle_example(tmp_path / "built")
    environment = os.environ | {
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
        "TMPDIR": str(tmp_path),
        "WEB_PAGE": str(tmp_path / "built"),
    }
    words = [sys.executable, "-m", "workers", "demo", "--web", "--json"]
    running = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True)
    yield running
    children = psutil.Process(running.pid).children(recursive=True)
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=60)
    assert running.returncode == 0
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive
    assert not list(tmp_path.glob("todo-workers-demo-*"))


@pytest.mark.long
@needs_client
@needs_chromium
def test_a_person_types_a_todo_and_sees_what_becomes_of_it(demo: subprocess.Popen[str]) -> None:
    assert demo.stdout is not None
    addresses = json.loads(demo.stdout.readline())
    assert set(addresses) == {"page", "routes", "live events", "dashboard", "its token"}
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 360, "height": 640})
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.goto(addresses["page"])
        expect(page.get_by_role("status")).to_have_text("Live", timeout=_WITHIN_MS)
        # All by keyboard: the field has the focus at the start, and again after each todo.
        page.keyboard.type("Call <b>Zoë</b>")
        page.keyboard.press("Enter")
        require_lines(
            page, "Audit trail: todo.created recorded", "Mail sent: your new todo", "Reminder set for"
        )
        require_lines(page, "Reminder is due", "Mail sent: your reminder")
        page.get_by_role("button", name="Done: Call <b>Zoë</b>").press("Enter")
        require_lines(page, "Audit trail: todo.completed recorded", "Mail sent: well done")
        told = page.get_by_role("log").inner_text()
        assert [told.count(words) for words in ("recorded", "Mail sent:", "Reminder is due")] == [2, 3, 1]
        page.reload()
        expect(page.get_by_role("status")).to_have_text("Live", timeout=_WITHIN_MS)
        assert page.get_by_role("log").inner_text() == told
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        assert faults == []


def require_lines(page: Page, *texts: str) -> None:
    """Wait until there is a line with each of the texts."""
    for text in texts:
        expect(page.get_by_role("listitem").filter(has_text=text).last).to_be_visible(timeout=_WITHIN_MS)
