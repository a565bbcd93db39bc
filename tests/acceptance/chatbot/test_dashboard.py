"""An operator at night, in Chromium and by the keyboard alone: looks, mends a dead letter, reads the story.

With DASHBOARD_PICTURES=1 it makes the pictures of the README anew.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tasks.events.models import Event
from tasks.storage.database import Database
from tests.helpers.browser import CLIENT, chromium, needs_chromium, needs_client
from tests.helpers.chatbot import Chatbot
from tests.helpers.ports import free_port
from tests.helpers.programs import start_todo_workers
from tests.helpers.repository import REPOSITORY
from tests.helpers.samples import a_todo, an_event, an_owner
from tests.helpers.smtp_server import REFUSED, SmtpServer
from tests.helpers.waiting import wait_for
from workers import KafkaBroker

SECRET = "a secret of thirty-two bytes or more"
AXE = CLIENT / "node_modules/axe-core/axe.min.js"
PICTURES = REPOSITORY / "docs/images"
SCREENS = ("Queues", "Delayed", "Workers", "Switches", "Activity", "Reminders", "Notifications", "Audit")

pytestmark = [pytest.mark.long, needs_client, needs_chromium]


if os.environ.get("DASHBOARD_PICTURES"):

    @pytest.fixture
    def namespace() -> str:
        return "todo"


@pytest.fixture
def chatbot(broker: KafkaBroker, server: SmtpServer, tmp_path: Path, sqlite: Database) -> Iterator[Chatbot]:
    url = sqlite.engine.url.render_as_string(hide_password=False)
    with Chatbot(
        broker,
        tmp_path,
        database_url=url,
        smtp_port=server.port,
        WEB_JWT_SECRET=SECRET,
        WEB_PORT=str(free_port()),
        WEB_DRAIN="0s",
    ) as chatbot:
        yield chatbot


@pytest.fixture
def address(chatbot: Chatbot) -> Iterator[str]:
    """Where the dashboard is, of `todo-workers web`."""
    program = start_todo_workers("web", env=chatbot.env)
    while "dashboard at " not in (line := program.stdout.readline()):
        assert line, "todo-workers web has ended"
    address = line.partition("dashboard at ")[2].strip()
    port = int(chatbot.env["WEB_PORT"])
    wait_for(lambda: _answers(port), 60)
    yield address
    program.terminate()
    program.communicate(timeout=30)
    assert program.returncode == -signal.SIGTERM  # uvicorn raises it again once it has stopped


@pytest.fixture
def page() -> Iterator[Page]:
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light")
        page.set_default_timeout(30_000)
        complaints: list[str] = []
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
        if os.environ.get("DASHBOARD_LAST"):
            page.screenshot(path=os.environ["DASHBOARD_LAST"], full_page=True)
        # A 4xx page that the test asks for is the only thing that the browser may complain of.
        assert [one for one in complaints if "status of 4" not in one] == []


#: The names that the control with the focus has for people.
_NAMES = (
    "() => { const one = document.activeElement;"
    " const texts = [one.getAttribute('aria-label'), one.labels?.[0]?.textContent, one.textContent];"
    " return texts.map((text) => (text ?? '').trim()) }"
)


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def reach(page: Page, name: str, *, most: int = 60) -> None:
    """Press Tab until the control with this name or text has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        found = page.evaluate(_NAMES)
        if any(text.startswith(name) for text in found if text):
            return
    raise AssertionError(f"Tab does not lead to {name!r} on {page.url}")


def press(page: Page, name: str) -> None:
    """Reach a link or a button, and press Enter."""
    reach(page, name)
    page.keyboard.press("Enter")


def serious(page: Page) -> list[str]:
    """What axe finds that is serious or worse."""
    # Run as an extension would: the policy of the pages lets no other script in.
    page.evaluate(AXE.read_text())
    found: dict[str, Any] = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {node['html'][:200]}"
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"]
    ]


def picture(page: Page, name: str) -> None:
    if os.environ.get("DASHBOARD_PICTURES"):
        page.screenshot(path=PICTURES / f"{name}.png")


def events() -> list[Event]:
    """A few todos; the mail about one goes to an address that the mail server refuses."""
    titles = ("Buy milk", "Call the plumber", "Water the plants", "Book the train")
    now = datetime.now(UTC)
    sound = [an_event(time=now, todo=a_todo(id=f"todo-{n}", title=title)) for n, title in enumerate(titles)]
    wrong = a_todo(id="todo-x", title="<b>Pay</b> the \u202erent", owner=an_owner(email=REFUSED))
    return [*sound, an_event(time=now, todo=wrong)]


def log_in(page: Page, address: str, token: str) -> None:
    page.goto(address)
    assert serious(page) == []
    page.keyboard.type(token)  # the field has the focus
    page.keyboard.press("Enter")
    page.wait_for_selector("#overview tbody tr")


def mend(page: Page, server: SmtpServer) -> None:
    """Open the newest dead letter, try an address that is none, then write the right one."""
    press(page, "Dead letters")
    page.wait_for_selector("#letters tbody tr")
    assert serious(page) == []
    press(page, page.locator("#letters .id code").first.inner_text())
    page.wait_for_selector("textarea")
    assert serious(page) == []
    text = page.locator("textarea").first.input_value()
    assert "\\u202e" in text
    for address in ("not an address", "ana@example.com"):
        reach(page, "event")
        page.keyboard.press("Control+A")
        page.keyboard.insert_text(text.replace(REFUSED, address))
        if address == "ana@example.com":
            picture(page, "dashboard-mend")
        press(page, "Check, and replay")
        page.wait_for_selector("#problem" if address == "not an address" else "text=1 of 1")
        assert serious(page) == []
    wait_for(lambda: [mail for mail in server.mails if "rent" in str(mail["Subject"])], 60)


def read_story(page: Page, event_id: str) -> None:
    press(page, "Events")
    page.wait_for_selector("text=An event's story")
    reach(page, "Id of the event")
    page.keyboard.type(event_id)
    page.keyboard.press("Enter")
    page.wait_for_selector("#story")
    assert "todo.created" in page.inner_text("#story")
    assert serious(page) == []
    picture(page, "dashboard-story")


def test_an_operator_mends_a_dead_letter_by_the_keyboard_alone(
    chatbot: Chatbot, server: SmtpServer, address: str, page: Page
) -> None:
    published = events()
    chatbot.publish(published)
    log_in(page, address, chatbot.command("token", "ann@example.com", "--role", "admin").strip())
    # The dead letter comes to the page by itself.
    page.wait_for_selector("#overview a[href*='exception=']", timeout=60_000)
    assert "live" in (page.locator("#as-of").get_attribute("class") or "")
    assert serious(page) == []
    picture(page, "dashboard-overview")
    mend(page, server)
    read_story(page, str(published[-1].event_id))
    for name in SCREENS:
        press(page, name)
        page.wait_for_selector(f"nav a[aria-current]:text('{name}')")
        assert serious(page) == []
    for place in (f"{address}/audit/todo?id=none", address.replace("/workers", "/docs")):
        page.goto(place)
        assert serious(page) == []
    page.goto(f"{address}/audit")
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 390, "height": 800})
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= 390")
    press(page, "Log out")
    page.wait_for_selector("text=Paste a token")
