"""What links and forms of the pages send back: the same letters, and the same text."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.web.dashboard.conftest import Client
from tests.unit.web.dashboard.fakes import FakeKafka
from tests.unit.web.dashboard.forms import fields_of, followed
from web.dashboard import text

_GROUP = re.compile(
    r'<td class="n">(\d+)</td>\s*<th scope="row" class="wide"><a href="/workers(/dead-letters\?[^"]*)"'
)
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)">')


def read(value: str) -> str:
    """The value as a browser reads it: unlike `html.unescape`, it keeps the control characters."""
    return html.unescape(re.sub("&#x([0-9a-f]+);", lambda found: chr(int(found[1], 16)), value))


def test_the_link_of_each_group_leads_to_its_letters_and_to_no_others(
    client: Client, kafka: FakeKafka
) -> None:
    kinds: list[tuple[str | None, str | None]] = [
        (None, None),
        (None, "crashed with \x1b[31mred"),
        ("builtins.ValueError", None),
        ("builtins.ValueError", "no row"),
        ("KeyError", "no row"),
    ]
    for count, (exception, message) in enumerate(kinds, 1):
        for number in range(count):
            kafka.add(f"m{count}-{number}", exception_type=exception, exception_message=message)
    browser = client("operator")
    page = browser.get("/dead-letters").text
    groups = [(int(count), html.unescape(link)) for count, link in _GROUP.findall(page)]
    assert sorted(count for count, _ in groups) == [1, 2, 3, 4, 5]
    for count, link in groups:
        page = browser.get(link).text
        assert f"<strong>{count}</strong> dead letter" in page, link
        form = page[page.index('action="/workers/runs"') :].partition("</form>")[0]
        fields = {name: read(value) for name, value in _HIDDEN.findall(form)}
        page = followed(browser, browser.post("/runs", data=fields))
        assert f"<strong>{count}</strong> dead letter" in page, link


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=60))
def test_a_field_comes_back_as_it_was_but_for_what_html_cannot_hold(value: str) -> None:
    shown = text.field(value)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200f\u202e\u2066]", shown)
    expected = re.sub("[\x00\r\x7f-\x9f]", lambda one: f"\\u{ord(one[0]):04x}", value.replace("\r\n", "\n"))
    assert read(shown) == expected


@pytest.mark.parametrize(("chars", "can"), [(90_000, True), (100_001, False), (150_000, False)])
def test_an_argument_is_mended_only_if_the_form_has_all_of_it(
    client: Client, kafka: FakeKafka, chars: int, can: bool
) -> None:
    kafka.add("one", value=kafka.job("one").replace(b"a@b.c", b"x" * chars))
    fields = fields_of(client("operator").get("/dead-letters/letter?id=one").text)
    assert ("args.0" in fields) is can
    assert not can or fields["args.0"] == f'"{"x" * chars}"'


def test_a_refused_text_of_many_lines_stays_as_it_was_typed(client: Client, kafka: FakeKafka) -> None:
    kafka.add("one")
    form = {"id": "one", "args.1": '{\r\n"id": 7,\r\n}'}
    page = client("operator").post("/dead-letters/letter", data=form).text
    assert fields_of(page)["args.1"] == form["args.1"]
