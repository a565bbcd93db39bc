"""The example's page in Chromium. The server is in the page's memory: the test says when what happens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.helpers.browser import bundle_example, needs_chromium, needs_client

_ADDRESS = "https://chat.example.com"
#: Signs in who is named in the address. What is published waits for its `answer`; `tell` sends an event.
_SERVER = """
window.published = [];
window.fetch = async (path, request) => {
  if (path === "/session.json") {
    const user = new URLSearchParams(location.search).get("user");
    return Response.json({user, name: "Ana", token: "token"});
  }
  return new Promise((answer) => published.push({
    event: JSON.parse(request.body),
    answer: (status, body) => answer(Response.json(body, {status})),
  }));
};
window.WebSocket = class {
  constructor() {
    window.socket = this;
    setTimeout(() => this.onopen?.(), 0);
  }
  send(text) {
    const {type, cursor} = JSON.parse(text);
    if (type !== "hello") return;
    const fields = {cursor: cursor === null ? "c0" : null, epoch: "e", ping_s: 25, stale_since: null};
    this.say({type: "welcome", ...fields});
  }
  say(frame) {
    this.onmessage?.({data: JSON.stringify(frame)});
  }
  close() {}
};
let o = 0;
window.tell = (type, subject, data) => {
  o++;
  socket.say({type: "event", c: `c${o}`, e: [{p: 0, o, type, id: `id-${o}`, time: "", subject, data}]});
};
window.tellRecorded = () => {
  const {type, subject} = published[0].event;
  tell("event.recorded", subject, {event_id: "1", event_type: type});
};
"""

pytestmark = [needs_client, needs_chromium]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page") / "built"
    bundle_example(folder)
    return folder


@pytest.fixture
def page(browser: Browser, built: Path) -> Iterator[Page]:
    """A browser in which the page is at an address of its own."""

    def serve(route: Route) -> None:
        path = route.request.url.removeprefix(_ADDRESS).partition("?")[0]
        route.fulfill(path=built / (path.lstrip("/") or "index.html"))

    with browser.new_page() as page:
        page.add_init_script(_SERVER)
        page.route(f"{_ADDRESS}/**", serve)
        yield page


def sign_in(page: Page, user: str = "ana@example.com") -> None:
    page.goto(f"{_ADDRESS}/?user={user}")
    expect(page.get_by_role("status")).to_have_text("Live")


def say(page: Page, title: str) -> None:
    """Type a todo, and let it be published."""
    page.get_by_role("textbox", name="Todo").fill(title)
    page.keyboard.press("Enter")
    page.wait_for_function("published.length === 1")
    page.evaluate("published[0].answer(202, {})")


def test_a_double_click_publishes_one_event_and_a_click_after_a_failure_the_same(page: Page) -> None:
    sign_in(page)
    say(page, "Call Zoë")
    page.evaluate("tellRecorded()")
    done = page.get_by_role("button", name="Done: Call Zoë")
    done.dblclick()
    expect(done).to_be_disabled()
    page.evaluate("published[1].answer(403, {detail: 'not now'})")
    expect(page.get_by_role("alert")).to_have_text("Not published: not now")
    done.click()
    page.wait_for_function("published.length > 2")
    created, *completed = page.evaluate("published.map(({event}) => [event.type, event.id])")
    assert completed[0] != created
    assert completed == [completed[0]] * 2
    assert completed[0][0] == "todo.completed"


def test_the_page_says_that_updates_are_late_while_the_log_cannot_be_followed(page: Page) -> None:
    sign_in(page)
    status = page.get_by_role("status")
    page.evaluate("""socket.say({type: "ping", c: "c0", stale_since: "2026-06-01T12:00:00Z"})""")
    expect(status).to_have_text("Live, but updates are late")
    page.evaluate("""socket.say({type: "ping", c: "c0", stale_since: null})""")
    expect(status).to_have_text("Live")


def test_what_is_kept_has_each_event_up_to_its_cursor(page: Page) -> None:
    sign_in(page)
    say(page, "Call Zoë")
    # At once: React has not rendered it when the page is left.
    kept = page.evaluate("""() => {
        tellRecorded();
        dispatchEvent(new PageTransitionEvent("pagehide"));
        return sessionStorage.getItem(sessionStorage.key(0));
    }""")
    kept = json.loads(kept)
    assert kept["cursor"] == "c1"
    assert [line["kind"] for line in kept["stories"][0]["lines"]] == ["record"]


def test_what_is_kept_is_shown_to_its_user_alone(page: Page) -> None:
    sign_in(page)
    say(page, "Call Zoë")
    sign_in(page, "bob@example.com")
    expect(page.get_by_text("What is to be done?")).to_be_visible()
    sign_in(page)
    expect(page.get_by_role("log")).to_contain_text("Call Zoë")
