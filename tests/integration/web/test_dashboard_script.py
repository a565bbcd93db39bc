"""The script of the dashboard in a browser: the page shows the version that the stream has named last.

The stream comes back after whatever ends the stream.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.helpers.browser import needs_chromium
from tests.helpers.repository import REPOSITORY
from tests.helpers.waiting import wait_for
from web.dashboard import text

pytestmark = needs_chromium

_ADDRESS = "http://dashboard.test"
_FORM = (
    '<form><input name="rate" data-cost="100" data-full="5000"><button type="button">Replay</button></form>'
    '<span id="cost">a second</span>'
)
_SCRIPT = REPOSITORY / "web" / "dashboard" / "static" / "dashboard.js"
_BODY = (
    '<!doctype html><body data-live="/live"><span id="as-of"><span data-as-of></span></span>'
    "<button data-pause>Pause</button>"
    '<div id="problems" data-region></div>%s'
    '<script type="module" src="/dashboard.js"></script></body>'
)
#: How the page writes a time in seconds since 1970.
_TIME = "((s) => new Date(s * 1000).toLocaleTimeString())"
#: What the page asks waits until the test answers; `tell` is the stream.
_SERVER = """
window.asked = [];
window.tell = null;
window.lose = null;
window.fetch = () => new Promise((resolve) => {
  asked.push((text, { version = "1", at = 0, ok = true } = {}) => {
    const problems = `<div id="problems" data-version="${version}" data-at="${at}"></div>`;
    const page = `${problems}<div id="content" data-region>${text}</div>`;
    resolve({ ok, redirected: false, text: async () => page });
  });
});
window.EventSource = class {
  static CLOSED = 2;
  constructor() {
    window.tell = (version, now = 1) => this.onmessage({ data: JSON.stringify({ version, at: now, now }) });
    window.lose = () => { this.readyState = 0; this.onerror(); };
  }
  close() {}
};
"""


def _serve(route: Route) -> None:
    path = route.request.url.removeprefix(_ADDRESS)
    if path == "/dashboard.js":
        route.fulfill(path=_SCRIPT)
    else:
        content = '<div id="content" data-region>first</div>' if path == "/" else "<p>not live</p><input>"
        route.fulfill(body=_BODY % content, content_type="text/html")


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page whose server is `_SERVER`."""
    with browser.new_page() as page:
        page.add_init_script(_SERVER)
        page.route(f"{_ADDRESS}/**", _serve)
        yield page


class Refused:
    """A page whose stream is refused with ``status`` unless that is 200; its time goes on as a test says."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.status = 502
        page.clock.install()
        page.route(f"{_ADDRESS}/**", self._serve)

    def expect_said(self, text: str) -> None:
        """Let time go on until the page says so."""
        self.go_on_until(lambda: text in self.page.inner_text("#as-of"))

    def go_on_until(self, condition: Callable[[], bool]) -> None:
        def is_so() -> bool:
            self.page.clock.run_for(500)
            return condition()

        wait_for(is_so)

    def _serve(self, route: Route) -> None:
        path = route.request.url.removeprefix(_ADDRESS)
        if path == "/live":
            message = json.dumps({"version": "1", "at": 1, "now": 1})
            body = f"retry: 600000\n\ndata: {message}\n\n" if self.status == 200 else "no"
            route.fulfill(status=self.status, body=body, content_type="text/event-stream")
        elif path == "/" and self.status == 401:
            route.fulfill(status=303, headers={"location": "/login"})
        elif path == "/login":
            route.fulfill(body="<body>Log in</body>", content_type="text/html")
        else:
            _serve(route)


@pytest.fixture
def refused(browser: Browser) -> Iterator[Refused]:
    with browser.new_page() as page:
        yield Refused(page)


def test_a_stream_that_was_refused_for_a_while_is_opened_again(refused: Refused) -> None:
    refused.page.goto(_ADDRESS)
    refused.expect_said("the server does not answer")
    refused.status = 200
    refused.expect_said("live")


def test_a_stream_that_was_refused_stays_closed_while_the_page_is_paused(refused: Refused) -> None:
    refused.page.goto(_ADDRESS)
    refused.expect_said("the server does not answer")
    refused.page.get_by_role("button", name="Pause").click()
    refused.status = 200
    refused.page.clock.run_for(30_000)
    assert refused.page.inner_text("#as-of") == "paused"
    refused.page.get_by_role("button", name="Go on").click()
    refused.expect_said("live")


def test_a_page_whose_session_is_over_leads_to_the_login(refused: Refused) -> None:
    refused.page.goto(_ADDRESS)
    refused.status = 401
    refused.go_on_until(lambda: refused.page.url == f"{_ADDRESS}/login")


def test_what_somebody_types_stays_when_the_session_is_over(refused: Refused) -> None:
    refused.status = 401
    refused.page.goto(f"{_ADDRESS}/delayed")
    refused.page.locator("input").fill("typed")
    refused.expect_said("your session is over")
    refused.page.clock.run_for(10_000)
    assert refused.page.inner_text("#as-of") == "your session is over"
    assert refused.page.locator("input").input_value() == "typed"


def test_the_server_is_away_once_the_stream_was_silent_for_some_seconds(page: Page) -> None:
    page.clock.install()
    page.goto(_ADDRESS)
    page.evaluate("tell('1')")
    page.evaluate("lose()")  # as every five minutes
    page.clock.run_for(2_000)  # it goes on by itself too
    assert "live" in page.inner_text("#as-of")
    page.clock.run_for(5_000)
    assert page.inner_text("#as-of") == "the server does not answer"
    page.evaluate("tell('1')")
    assert "live" in page.inner_text("#as-of")


def test_a_change_while_the_page_is_fetched_is_shown_too(page: Page) -> None:
    page.goto(_ADDRESS)
    page.evaluate("tell('1'); tell('2')")
    page.evaluate("asked[0]('old')")
    page.wait_for_function("asked.length === 2")
    page.evaluate("asked[1]('new', { version: '2' })")
    expect(page.locator("#content")).to_have_text("new")
    page.evaluate("tell('2')")
    assert page.evaluate("asked.length") == 2


def test_what_could_not_be_fetched_is_asked_for_again(page: Page) -> None:
    page.goto(_ADDRESS)
    page.evaluate("tell('1')")
    page.evaluate("asked[0]('broken', { ok: false })")
    expect(page.locator("#content")).to_have_text("first")
    page.evaluate("tell('1')")
    page.wait_for_function("asked.length === 2")
    page.evaluate("asked[1]('new')")
    expect(page.locator("#content")).to_have_text("new")


def test_what_another_process_read_before_the_change_is_asked_for_again(page: Page) -> None:
    page.goto(_ADDRESS)
    page.evaluate("tell('1', 100)")
    page.evaluate("asked[0]('old', { version: 'other', at: 40 })")
    expect(page.locator("#content")).to_have_text("old")
    page.evaluate("tell('1', 102)")
    page.wait_for_function("asked.length === 2")
    assert page.inner_text("#as-of") == page.evaluate(f"`live, read ${{{_TIME}(40)}}`")
    # It was read before the last message, but after the first one that named this version.
    page.evaluate("asked[1]('new', { version: 'other', at: 101 })")
    expect(page.locator("#content")).to_have_text("new")
    page.evaluate("tell('1', 104)")
    assert page.evaluate("asked.length") == 2
    assert page.inner_text("#as-of") == page.evaluate(f"`live, read ${{{_TIME}(104)}}`")


def test_a_paused_page_stays_as_it_is(page: Page) -> None:
    page.goto(_ADDRESS)
    page.evaluate("tell('1')")
    page.get_by_role("button", name="Pause").click()
    page.evaluate("asked[0]('new')")
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("#content")).to_have_text("first")
    page.evaluate("tell('1')")
    page.wait_for_function("asked.length === 2")


def _show_form(page: Page) -> None:
    page.goto(_ADDRESS)
    page.evaluate("tell('1', 100)")
    page.evaluate("form => asked[0](form, { at: 100 })", _FORM)
    page.locator("[name=rate]").wait_for()


def _answer_new(page: Page) -> None:
    page.evaluate("form => asked.at(-1)(form + 'new', { version: '2', at: 200 })", _FORM)


def test_what_somebody_has_typed_is_in_the_new_content_too(page: Page) -> None:
    _show_form(page)
    page.locator("[name=rate]").fill("2")
    page.keyboard.press("Tab")
    page.evaluate("tell('2', 200)")
    _answer_new(page)
    expect(page.locator("#content")).to_contain_text("new")
    expect(page.locator("[name=rate]")).to_have_value("2")
    expect(page.locator("#cost")).to_have_text("50 s")
    expect(page.get_by_role("button", name="Replay")).to_be_focused()


def test_content_in_which_somebody_types_is_fetched_again_once_they_have_left(page: Page) -> None:
    _show_form(page)
    page.locator("[name=rate]").focus()
    page.evaluate("tell('2', 200)")
    _answer_new(page)
    expect(page.locator("#content")).not_to_contain_text("new")
    assert page.inner_text("#as-of") == page.evaluate(f"`live, read ${{{_TIME}(100)}}`")
    asked = page.evaluate("asked.length")
    page.locator("[name=rate]").blur()
    page.wait_for_function(f"asked.length === {asked + 1}")
    _answer_new(page)
    expect(page.locator("#content")).to_contain_text("new")
    assert page.inner_text("#as-of") == page.evaluate(f"`live, read ${{{_TIME}(200)}}`")


def test_a_button_stays_while_it_is_pressed(page: Page) -> None:
    _show_form(page)
    page.evaluate("window.clicks = 0; document.addEventListener('click', () => { clicks += 1; })")
    page.get_by_role("button", name="Replay").hover()
    page.mouse.down()
    page.evaluate("tell('2', 200)")
    _answer_new(page)
    expect(page.locator("#content")).not_to_contain_text("new")
    asked = page.evaluate("asked.length")
    page.mouse.up()
    assert page.evaluate("clicks") == 1
    page.wait_for_function(f"asked.length === {asked + 1}")
    _answer_new(page)
    expect(page.locator("#content")).to_contain_text("new")


def test_a_button_stays_while_its_key_is_down(page: Page) -> None:
    _show_form(page)
    page.evaluate("window.clicks = 0; document.addEventListener('click', () => { clicks += 1; })")
    page.get_by_role("button", name="Replay").focus()
    page.keyboard.down("Space")
    page.evaluate("tell('2', 200)")
    _answer_new(page)
    page.keyboard.up("Space")
    assert page.evaluate("clicks") == 1
    page.evaluate("tell('2', 202)")
    _answer_new(page)
    expect(page.locator("#content")).to_contain_text("new")


def test_a_page_that_is_not_live_is_not_fetched_again(page: Page) -> None:
    page.goto(f"{_ADDRESS}/delayed")
    page.evaluate("tell('1')")
    page.evaluate("tell('2')")
    assert page.evaluate("asked.length") == 0


def test_the_value_of_a_field_is_what_it_was(page: Page) -> None:
    value = "".join(map(chr, (*range(1, 13), *range(14, 127), 0x200B, 0x202E, 0x2066, 0xFEFF))) + "x" * 1_000
    page.goto(_ADDRESS)
    page.set_content(f'<input type="hidden" value="{text.field(value)}">')
    assert page.locator("input").evaluate("one => one.value") == value
