"""Every kind of mail in every language, from the sample values that stand beside the templates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from jinja2.ext import babel_extract

from tasks.notifications.languages import TIME_PATTERN, available, language_for
from tasks.notifications.notice import Notice, RenderError
from tasks.notifications.rendering import kinds, render, sample_values
from tasks.notifications.schedule_words import (
    AT_THAT_TIME,
    BEFORE,
    CONTEXT,
    EVERY,
    EVERY_ONE,
    offset_words,
    rule_words,
)
from tests.helpers.samples import an_owner

TEMPLATES = Path(str(files("templates")))
CASES = [(kind, language) for kind in kinds() for language in available()]
VARIABLES = [(kind, name) for kind in kinds() for name in sample_values(kind)]


def a_notice(kind: str, language: str = "en", **values: Any) -> Notice:
    return Notice(
        id=uuid4(), kind=kind, recipient=an_owner(language=language), values=sample_values(kind) | values
    )


def test_there_are_the_kinds_and_languages_that_the_chatbot_needs() -> None:
    assert set(kinds()) >= {"todo_created", "todo_updated", "todo_completed", "todo_deleted", "todo_reminder"}
    assert available() == ("en", "de")


@pytest.mark.parametrize(("kind", "language"), CASES)
def test_every_kind_in_every_language(kind: str, language: str) -> None:
    notice = a_notice(kind, language)
    mail = render(notice)
    assert mail.language == language
    assert f'<html lang="{language}">' in mail.html
    assert "Book flights to Lisbon" in mail.subject
    for body in (mail.text, mail.html):
        assert "Book flights to Lisbon" in body
        assert "Ana Petrović" in body
        assert {"en": "Friday, 5 June 2026, 17:00 CEST", "de": "Freitag, 5. Juni 2026, 17:00 MESZ"}[
            language
        ] in body
        assert not re.search(r"None|Undefined|[{}]%|%\(", body)
        assert "{{" not in body
    assert "\n\n\n" not in mail.text


@pytest.mark.parametrize("kind", kinds())
def test_no_words_are_left_in_english(kind: str) -> None:
    english, german = (render(a_notice(kind, language)) for language in available())
    values = " ".join(str(value) for value in sample_values(kind).values())
    same = set(english.text.splitlines()) & set(german.text.splitlines())
    assert {line for line in same if line.strip(" -") and line.strip() not in values} == set()


@pytest.mark.parametrize(("kind", "name"), VARIABLES)
@pytest.mark.parametrize("language", available())
def test_a_missing_variable_is_an_error(kind: str, name: str, language: str) -> None:
    notice = a_notice(kind, language)
    without = {key: value for key, value in notice.values.items() if key != name}
    with pytest.raises(RenderError, match=rf"{kind}/.* could not be rendered: '{name}' is undefined"):
        render(notice.model_copy(update={"values": without}))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"title": " \N{RIGHT-TO-LEFT OVERRIDE}"}, "is blank"),
        ({"title": 7}, "TypeError: 7 is not text"),
        ({"title": None}, "TypeError: None is not text"),
        ({"due": "tomorrow"}, "ValueError: Invalid isoformat string: 'tomorrow'"),
        ({"due": "2026-06-05T17:00:00"}, "ValueError: the time '2026-06-05T17:00:00' has no zone"),
        ({"due": ["2026-06-05T17:00:00Z"]}, "TypeError"),
    ],
)
def test_a_value_that_is_not_what_it_should_be_is_an_error(values: dict[str, Any], words: str) -> None:
    with pytest.raises(RenderError, match=re.escape(words)):
        render(a_notice("todo_created", **values))


def test_a_kind_without_templates_is_an_error() -> None:
    notice = a_notice("todo_created").model_copy(update={"kind": "todo_craeted"})
    with pytest.raises(RenderError, match="did you mean todo_created"):
        render(notice)


@pytest.mark.parametrize(
    ("tag", "code", "month"),
    [
        ("de", "de", "Januar"),
        ("de-AT", "de", "Jänner"),
        ("DE-ch", "de", "Januar"),
        ("de-Latn-AT-1996", "de", "Jänner"),
        ("en-US", "en", "January"),
        ("pt-BR", "en", "January"),
        ("xx", "en", "January"),
        ("de-QX", "de", "Januar"),
    ],
)
def test_a_language_falls_back_to_a_less_special_one_and_then_to_english(
    tag: str, code: str, month: str
) -> None:
    language = language_for(tag)
    assert language.code == code
    assert month in language.show_time(datetime(2026, 1, 1, 12, tzinfo=UTC), ZoneInfo("Europe/Vienna"))


@pytest.mark.parametrize(
    ("offset", "english", "german"),
    [
        ("-1d", "1 day before", "1 Tag vorher"),
        ("-14d", "2 weeks before", "2 Wochen vorher"),
        ("-90m", "90 minutes before", "90 Minuten vorher"),
        ("-2h", "2 hours before", "2 Stunden vorher"),
        ("0m", "at that time", "zu diesem Zeitpunkt"),
    ],
)
def test_an_offset_is_told_in_words(offset: str, english: str, german: str) -> None:
    assert offset_words(offset, language_for("en")) == english
    assert offset_words(offset, language_for("de")) == german


@pytest.mark.parametrize(
    ("rule", "english", "german"),
    [
        ("FREQ=YEARLY", "every year", "jedes Jahr"),
        ("RRULE:FREQ=WEEKLY;INTERVAL=1", "every week", "jede Woche"),
        ("FREQ=WEEKLY;INTERVAL=2", "every 2 weeks", "alle 2 Wochen"),
        ("FREQ=WEEKLY;BYDAY=MO", "FREQ=WEEKLY;BYDAY=MO", "FREQ=WEEKLY;BYDAY=MO"),
        ("FREQ=HOURLY", "FREQ=HOURLY", "FREQ=HOURLY"),
        ("FREQ=DAILY;INTERVAL=x", "FREQ=DAILY;INTERVAL=x", "FREQ=DAILY;INTERVAL=x"),
    ],
)
def test_a_recurrence_is_told_in_words_where_it_is_simple(rule: str, english: str, german: str) -> None:
    assert rule_words(rule, language_for("en")) == english
    assert rule_words(rule, language_for("de")) == german


def test_a_reminder_that_is_late_says_so() -> None:
    assert "late" not in render(a_notice("todo_reminder")).text
    for language, note in (("en", "This reminder is late"), ("de", "kommt verspätet")):
        mail = render(a_notice("todo_reminder", language, late=True))
        assert note in mail.text
        assert note in mail.html


def messages() -> Iterator[tuple[str, str | None]]:
    """The texts that the templates ask the catalogs for."""
    for template in (*TEMPLATES.rglob("*.txt"), *TEMPLATES.rglob("*.html")):
        with template.open("rb") as file:
            for _, _, message, _ in babel_extract(
                file, ("_", "gettext"), [], {"trim_blocks": "true", "silent": "false"}
            ):
                yield str(message if isinstance(message, str) else (message or ())[0]), None
    yield TIME_PATTERN, "time"
    for words in (BEFORE, AT_THAT_TIME, EVERY, *EVERY_ONE.values()):
        yield words, CONTEXT


def catalog(language: str) -> Catalog:
    with (TEMPLATES / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


@pytest.mark.parametrize("language", available()[1:])
def test_a_catalog_has_what_the_templates_need_and_no_more(language: str) -> None:
    found = catalog(language)
    needed = set(messages())
    assert {(message.id, message.context) for message in found if message.id} == needed
    for identifier, context in needed:
        message = found.get(identifier, context)
        assert message is not None
        assert message.string, identifier
        assert not message.fuzzy, identifier
        assert not list(message.check(found)), identifier
        assert names(str(message.string)) == names(identifier)


@pytest.mark.parametrize("language", available())
def test_a_time_is_shown_to_the_minute(language: str) -> None:
    # Shown times are kept by the minute.
    pattern = language_for(language).words.pgettext("time", TIME_PATTERN)
    assert not set("sSA") & set(re.sub("'[^']*'", "", pattern))


def names(text: str) -> set[str]:
    return set(re.findall(r"%\((\w+)\)s", text))
