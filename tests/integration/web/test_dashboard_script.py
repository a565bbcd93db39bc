"""The script of the dashboard in a browser: the page shows the version that the stream has named last."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.helpers.browser import needs_chromium
from tests.helpers.repository import REPOSITORY
from web.dashboard import text

pytestmark = needs_chromium

_ADDRESS = "http://dashboard.test"
_SCRIPT = REPOSITORY / "web" / "dashboard" / "static" / "dashboard.js"
_BODY = (
    '<body data-live="/live"><span id="as-of"><span data-as-of></span></span>'
    "<button data-pause>Pause</button>"
    '<div id="problems" data-region></div>%s'
    '<script type="module" src="/dashboard.js"></script></body>'
)
#: What the page asks waits until the test answers; `tell` is the stream.
_SERVER = """
window.asked = [];
window.tell = null;
window.fetch = () => new Promise((resolve) => asked.push((text, ok = true) =>
  resolve({ ok, redirected: false, text: async () => `<div id="content" data-region>${text}</div>` })));
window.EventSource = class {
  constructor() { window.tell = (version) => this.onmessage({ data: JSON.stringify({ version, at: 1 }) }); }
  close() {}
};
"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    def serve(route: Route) -> None:
        path = route.request.url.removeprefix(_ADDRESS)
        if path == "/dashboard.js":
            route.fulfill(path=_SCRIPT)
        else:
            content = '<div id="content" data-region>first</div>' if path == "/" else "<p>not live</p>"
            route.fulfill(body=_BODY % content, content_type="text/html")

    with browser.new_page() as page:
        page.add_init_script(_SERVER)
        page.route(f"{_ADDRESS}/**", serve)
        yield page


def test_a_change_while_the_page_is_fetched_is_shown_too(page: Page) -> None:
    page.goto(_ADDRESS)
    page.evaluate("tell('1'); tell('2')")
    page.evaluate("asked[0]('old')")
    page.wait_for_function("asked.length === 2")
    page.evaluate("asked[1]('new')")
    expect(page.locator("#content")).to_have_text("new")
    page.evaluate("tell('2')")
    assert page.evaluate("asked.length") == 2


def test_what_could_not_be_fetched_is_asked_for_again(page: Page) -> None:
    page.goto(_ADDRESS)
    page.evaluate("tell('1')")
    page.evaluate("asked[0]('broken', false)")
    expect(page.locator("#content")).to_have_text("first")
    page.evaluate("tell('1')")
    page.wait_for_function("asked.length === 2")
    page.evaluate("asked[1]('new')")
    expect(page.locator("#content")).to_have_text("new")


def test_a_paused_page_stays_as_it_is(page: Page) -> None:
    page.goto(_ADDRESS)
    page.evaluate("tell('1')")
    page.get_by_role("button", name="Pause").click()
    page.evaluate("asked[0]('new')")
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("#content")).to_have_text("first")
    page.evaluate("tell('1')")
    page.wait_for_function("asked.length === 2")


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
