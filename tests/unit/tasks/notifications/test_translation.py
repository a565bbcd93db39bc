"""A template with its translations compiled in says what Jinja's calls of gettext would have it say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from gettext import NullTranslations
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pytest
from css_inline import CSSInliner
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment, UndefinedError
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import Markup

from tasks.events.models import Event
from tasks.notifications import languages
from tasks.notifications.languages import language_for
from tasks.notifications.notice import notice_of
from tasks.notifications.rendering import MAX_SUBJECT_LENGTH, PARTS, context, render
from tasks.notifications.template_environment import environment_for
from tasks.notifications.translation import translate
from tasks.text import one_line
from tests.helpers.html import tree_of
from tests.helpers.samples import KINDS, a_todo, an_event, an_owner

CSS_INLINE = CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)

texts = st.sampled_from(
    ["Buy <b>milk</b> & 100 % of %(title)s", "Größe 日本語 {{ x }}", 'a\n "b"\n\nc']
) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40
).filter(lambda text: bool(one_line(text)))
times = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
changes = st.fixed_dictionaries(
    {},
    optional={
        "title": st.builds(lambda a, b: {"before": a, "after": b}, texts, texts),
        "description": st.builds(lambda a, b: {"before": a, "after": b}, st.just(""), texts),
        "due": st.builds(lambda a, b: {"before": a, "after": b}, times, st.none() | times),
        "reminders": st.just({"before": [], "after": ["-1d", "-90m"]}),
        "recurrence": st.just({"before": None, "after": "FREQ=WEEKLY;INTERVAL=2"}),
    },
).filter(bool)


def plain_environment(language: languages.Language) -> Environment:
    """The environment as Jinja makes it, which looks each text up when a mail is rendered."""
    ours = environment_for(language)
    plain = SandboxedEnvironment(
        loader=ours.loader,
        extensions=["jinja2.ext.i18n"],
        autoescape=ours.autoescape,
        undefined=ours.undefined,
        trim_blocks=ours.trim_blocks,
        lstrip_blocks=ours.lstrip_blocks,
        auto_reload=False,
    )
    plain.install_gettext_translations(language.words, newstyle=True)  # type: ignore[attr-defined]
    plain.filters = ours.filters
    return plain


PLAIN = {tag: plain_environment(language_for(tag)) for tag in ("en", "de", "de-AT")}


owners = st.builds(
    an_owner,
    name=texts.map(lambda text: one_line(text, 200)),
    language=st.sampled_from(sorted(PLAIN)),
    time_zone=st.sampled_from(["Europe/Berlin", "America/Sao_Paulo", "Asia/Kathmandu", "UTC"]),
)
todos = st.builds(a_todo, title=texts, description=st.just("") | texts, due=st.none() | times, owner=owners)
events = st.sampled_from(KINDS).flatmap(
    lambda kind: st.builds(
        an_event,
        st.just(kind),
        todo=todos,
        time=times,
        actor=texts.map(lambda text: one_line(text, 200)),
        **({"changes": changes} if kind == "todo.updated" else {}),
    )
)


@given(events)
def test_a_mail_is_the_one_that_the_plain_way_gives(event: Event) -> None:
    notice = notice_of(event, id=event.event_id)
    environment = PLAIN[event.todo.owner.language]
    subject, text, html = (
        environment.get_template(f"{notice.kind}/{part}").render(context(notice)) for part in PARTS
    )
    mail = render(notice)
    assert mail.subject == one_line(subject, MAX_SUBJECT_LENGTH)
    assert mail.text == text
    assert tree_of(mail.html) == tree_of(CSS_INLINE.inline(html))


@given(time=times, zone=st.sampled_from(["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"]))
def test_a_time_is_shown_as_if_no_other_was_shown_before(time: datetime, zone: str) -> None:
    language = language_for("de")
    for moment in (time, time + timedelta(seconds=30), time.astimezone(ZoneInfo(zone))):
        shown = languages._shown.__wrapped__(language, moment, ZoneInfo(zone))
        assert language.show_time(moment, ZoneInfo(zone)) == shown


class Words(NullTranslations):
    """A catalog with a few texts."""

    TEXTS: ClassVar = {
        "Hi %(x)s": "%(x)s: <b>hallo</b> 100 %% %(x)s",
        "Bye": "Tschüs",
        "odd": "100 %",
        "less": "%(y)s",
    }

    def gettext(self, message: str) -> str:
        return self.TEXTS.get(message, message)


def environment(*, is_translated: bool, autoescape: bool) -> Environment:
    class Translated(Environment):
        def _generate(self, source: Any, *args: Any, **kwargs: Any) -> str:
            return super()._generate(translate(source, Words()) if is_translated else source, *args, **kwargs)

    made = Translated(extensions=["jinja2.ext.i18n"], autoescape=autoescape)
    made.install_gettext_translations(Words(), newstyle=True)  # type: ignore[attr-defined]
    return made


@pytest.mark.parametrize("autoescape", [True, False])
@pytest.mark.parametrize(
    "source",
    [
        '{{ _("Hi %(x)s", x=x) }}',
        '{{ _("Hi %(x)s", x=x) | upper }}{{ _("Bye") | length }}',
        '{% macro m(t) %}[{{ t }}]{% endmacro %}{{ m(_("Hi %(x)s", x=m(x))) }}{{ m(_("Bye") or x) }}',
        "{% trans x=x %}Hi {{ x }}{% endtrans %}{% trans %}Bye{% endtrans %}",
        "{% trans n=x | length %}one{% pluralize %}{{ n }} of them{% endtrans %}",
        '{{ pgettext("where", "Bye") }}{{ _(["Bye"] | first) }}{{ _("not in %%, the catalog") }}',
        '{{ x ~ _("Bye") ~ "<" }}{% set y = _("Hi %(x)s", x=1) %}{{ y }}',
        '{% if _("Bye") == "Tschüs" %}{{ gettext("Hi %(x)s", **{"x": x}) }}{% endif %}',
    ],
)
def test_a_text_is_the_one_that_gettext_gives(source: str, autoescape: bool) -> None:
    ways = [environment(is_translated=way, autoescape=autoescape) for way in (True, False)]
    for x in ("<i>", Markup("<i>"), "", "%(x)s", "100 %"):
        translated, plain = (way.from_string(source).render(x=x) for way in ways)
        assert translated == plain


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ('{{ _("odd") }}', ValueError),
        ('{{ _("less", x=1) }}', KeyError),
        ('{{ _("Hi %(x)s", x=missing.one) }}', UndefinedError),
        ('{{ _("Hi %(x)s") }}', KeyError),
    ],
)
def test_a_text_that_cannot_be_written_is_the_same_error(source: str, error: type[Exception]) -> None:
    for way in (True, False):
        template = environment(is_translated=way, autoescape=True).from_string(source)
        with pytest.raises(error):
            template.render()


def test_a_text_is_looked_up_when_the_template_is_loaded() -> None:
    template = environment(is_translated=True, autoescape=True).from_string(
        '{{ _("Bye") }}{{ _("Hi %(x)s", x=x) }}'
    )
    template.environment.globals.clear()
    assert template.render(x="<") == "Tschüs&lt;: <b>hallo</b> 100 % &lt;"
