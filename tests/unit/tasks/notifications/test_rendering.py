"""The words of the mails, whatever a todo's title holds."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.events.fields import Part
from tasks.events.models import Event, TodoUpdated, read_any_event
from tasks.notifications.languages import language_for
from tasks.notifications.notice import notice_of
from tasks.notifications.rendering import MAX_SUBJECT_LENGTH, RenderedNotice, render
from tasks.text import one_line, paragraphs
from tests.helpers.samples import KINDS, a_todo, an_event, an_owner


def notification_for(event: Event) -> RenderedNotice:
    return render(notice_of(event, id=event.event_id))


HOSTILE = [
    "<script>alert('x')</script>",
    "</h1></td></table><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}{% for x in [1] %}{{ title.__class__ }}{% endfor %}",
    "Buy milk\r\nBcc: eve@example.com\r\n\r\nbody",
    "=?utf-8?q?Bcc=3A_eve?=",
    "\N{RIGHT-TO-LEFT OVERRIDE}drowssap\x00\x07\x1b[31m".replace("\0", ""),
    "A" * 10_000,
    "\N{GRINNING FACE} " * 5_000,
    "\N{PARAGRAPH SEPARATOR}\N{LINE SEPARATOR}Größe 日本語 שלום\N{NEXT LINE}",
    '" onmouseover="alert(1)',
]
hostile_titles = st.sampled_from(HOSTILE) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=200
).filter(lambda text: bool(one_line(text)))


class Page(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_says_what_happened(kind: str) -> None:
    mail = notification_for(an_event(kind))
    assert "Buy milk" in mail.subject
    for body in (mail.text, Page(mail.html).text):
        assert "Buy milk" in body
        assert "Ana Petrović" in body
        assert "by user:42 on Monday, 1 June 2026, 14:00 CEST" in body
        assert "Times are in Europe/Berlin." in body


def test_the_subject_of_each_kind_is_another() -> None:
    subjects = [notification_for(an_event(kind)).subject.partition(":")[0] for kind in KINDS]
    assert subjects == ["New todo", "Todo changed", "Todo completed", "Todo deleted"]


@pytest.mark.parametrize("kind", ["todo.created", "todo.completed", "todo.deleted"])
def test_a_due_time_is_told_in_the_owners_zone(kind: str) -> None:
    mail = notification_for(an_event(kind, todo=a_todo(owner=an_owner(time_zone="America/Sao_Paulo"))))
    for body in (mail.text, Page(mail.html).text):
        assert "Friday, 5 June 2026, 12:00 UTC\N{MINUS SIGN}03" in body


def test_what_was_not_given_is_not_mentioned() -> None:
    mail = notification_for(an_event(todo=a_todo(description="", due=None)))
    assert "Due" not in mail.text
    assert "\n\n\n" not in mail.text
    assert "None" not in mail.text + mail.html


def test_an_update_lists_what_changed() -> None:
    changes = {
        "title": {"before": "Buy <bread>", "after": "Buy milk"},
        "description": {"before": "", "after": "Two\nlitres"},
        "due": {"before": None, "after": "2026-12-05T15:00:00Z"},
        "owner": {"before": an_owner(name="Ben", email="ben@example.com"), "after": an_owner()},
    }
    mail = notification_for(an_event("todo.updated", changes=changes))
    assert "Title\n  was: Buy <bread>\n  now: Buy milk\n" in mail.text
    assert "Description\n  was: none\n  now: Two\n       litres\n" in mail.text
    assert "Due\n  was: none\n  now: Saturday, 5 December 2026, 16:00 CET\n" in mail.text
    assert "Owner\n  was: Ben <ben@example.com>\n  now: Ana Petrović <ana@example.com>\n" in mail.text
    shown = Page(mail.html).text
    for value in ("Buy <bread>", "litres", "16:00 CET", "Ben <ben@example.com>"):
        assert value in shown


ANA = {"name": "Ana", "email": "ana@example.com"}


@pytest.mark.parametrize(
    ("field", "before", "after", "shown"),
    [
        ("owner", ANA | {"email": "ana@@example"}, ANA, "was: Ana <ana@@example>"),
        ("owner", ANA | {"time_zone": "Berlin"}, ANA, "was: Ana <ana@example.com>"),
        ("reminders", ["1 day", "-1h"], ["-1d"], "was: 1 day, 1 hour before\n  now: 1 day before"),
        ("reminders", "-1d", ["-1d"], "was: 1 day before\n  now: 1 day before"),
        ("recurrence", "every day", None, "was: every day\n  now: none"),
        ("owner", ANA | {"email": ["ana@example.com", "ana@x"]}, ANA, "was: Ana <ana@example.com, ana@x>"),
        ("recurrence", ["RRULE:FREQ=WEEKLY"], None, "was: every week\n  now: none"),
        ("recurrence", None, ["RRULE:FREQ=DAILY;COUNT=2", "EXDATE"], "now: RRULE:FREQ=DAILY;COUNT=2, EXDATE"),
    ],
)
def test_a_wrong_value_that_an_update_mends_is_shown_as_it_was(
    field: str, before: object, after: object, shown: str
) -> None:
    event = an_event("todo.updated", changes={"title": {"before": "x", "after": "y"}}).model_dump(mode="json")
    read = read_any_event(event | {"changes": {field: {"before": before, "after": after}}})
    read.require(*Part)
    assert isinstance(read.event, TodoUpdated)
    assert shown in notification_for(read.event).text


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("Europe/Berlin", "Sunday, 25 October 2026, 02:30 CET"),
        ("Asia/Kathmandu", "Sunday, 25 October 2026, 07:15 UTC+0545"),
        ("UTC", "Sunday, 25 October 2026, 01:30 UTC"),
    ],
)
def test_times_name_their_zone(zone: str, shown: str) -> None:
    # In Berlin the clock shows 02:30 twice on that night; this is the second time.
    moment = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert language_for("en").show_time(moment, ZoneInfo(zone)) == shown


@given(hostile_titles)
def test_a_subject_is_one_printable_line(title: str) -> None:
    subject = notification_for(an_event(todo=a_todo(title=title))).subject
    assert len(subject) <= MAX_SUBJECT_LENGTH
    assert subject.splitlines() == [subject]
    assert not [character for character in subject if unicodedata.category(character) in {"Cc", "Zl", "Zp"}]
    assert not set(subject) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@pytest.mark.parametrize("kind", KINDS)
@given(title=hostile_titles)
def test_a_title_cannot_become_html(kind: str, title: str) -> None:
    todo = a_todo(title=title, description="", owner=an_owner(name=one_line(title, 200)))
    fields = {"changes": {"title": {"before": title, "after": title}}} if kind == "todo.updated" else {}
    hostile = Page(notification_for(an_event(kind, todo=todo, actor=todo.owner.name, **fields)).html)
    harmless = {"changes": {"title": {"before": "x", "after": "x"}}} if kind == "todo.updated" else {}
    plain = Page(notification_for(an_event(kind, todo=a_todo(title="x", description=""), **harmless)).html)
    assert hostile.tags == plain.tags
    assert one_line(title) in hostile.text


@pytest.mark.parametrize("kind", KINDS)
def test_template_syntax_in_a_title_is_only_text(kind: str) -> None:
    mail = notification_for(an_event(kind, todo=a_todo(title="{{ 7 * 7 }}")))
    for text in (mail.subject, mail.text, Page(mail.html).text):
        assert "{{ 7 * 7 }}" in text
        assert "49" not in text


def test_text_is_made_safe_to_show() -> None:
    assert one_line(" a\r\nb\tc\x00\x1b ") == "a b c"
    assert one_line("x" * 20, 10) == "x" * 9 + "…"
    assert paragraphs("\r\n a\r\n\r\nb \x07\x85c\n\n") == " a\n\nb\nc"
