"""A template that is put together says what Jinja says when it puts it together for each mail."""

from __future__ import annotations

from typing import Any

import pytest
from jinja2 import DictLoader, StrictUndefined, TemplateNotFound, TemplateSyntaxError, UndefinedError, nodes
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import Markup

from tasks.notifications.flattening.page import flattened
from tasks.notifications.languages import language_for
from tasks.notifications.rendering import PARTS, kinds
from tasks.notifications.template_environment import environment_for

LAYOUT = "<{% block label %}-{% endblock %}> {{ self.label() }} {% block body %}{{ x }}{% endblock %}{{ x }}"
PARTS_OF_PAGES = """
{% macro bold(text) %}<b>{{ text }}</b>{% endmacro %}
{% macro twice(text) %}{{ text }}/{{ text }}{% endmacro %}
{% macro maybe(text, other) %}{% if other %}{{ bold(text) }}{% else %}none{% endif %}{% endmacro %}
{% macro each(items, x) %}{% for one in items %}{{ one }}{{ x }};{% endfor %}{% endmacro %}
{% macro both(one, two) %}{{ bold(one) }}{{ twice(two) }}{% endmacro %}
{% macro numbered(items) %}{% for one in items %}{{ loop.index }}{{ one }}{% endfor %}{% endmacro %}
{% macro usual(text="a") %}{{ text }}{% endmacro %}
{% macro around() %}({{ caller() }}){% endmacro %}
{% macro counted(text) %}{% set n = text | length %}{{ n }}{% endmacro %}
{% macro more() %}{{ varargs | length }}{{ kwargs | length }}{% endmacro %}
{% macro outside() %}{{ x is defined }}{% endmacro %}
"""
EXTENDS = '{% extends "layout.html" %}{% import "parts.html" as parts %}'

#: Those of which nothing is left to be put together when they are rendered, and those of which something is.
WHOLE = {
    "blocks": EXTENDS + "{% block label %}L{% endblock %}{% block body %}[{{ x }}]{% endblock %}",
    "text beside blocks": EXTENDS + "lost {{ missing }}{% block body %}b{% endblock %}lost",
    "levels": '{% extends "middle.html" %}{% block inner %}{{ x }}{% endblock %}',
    "names in blocks": EXTENDS + "{% block body %}{% set x = 1 %}{{ x }}{% endblock %}",
    "a name beside blocks": EXTENDS + "{% set y = x %}{% block body %}{{ y }}{% endblock %}",
    "macros": EXTENDS
    + "{% block body %}{{ parts.bold(x) }}{{ parts.twice(x) }}{{ parts.both(x, y) }}{% endblock %}",
    "hidden names": '{% import "parts.html" as parts %}{% set one = "<1>" %}{% set text = x %}'
    "{{ parts.each([1, 2], one) }}{{ parts.each([one], x) }}{{ parts.both(text, one | upper) }}",
    "conditions": '{% import "parts.html" as parts %}'
    "{% if y %}{{ parts.bold(x) }}{% elif x %}{{ parts.bold(1) }}{% else %}{{ parts.bold(2) }}{% endif %}"
    "{% for one in [] %}{% else %}{{ parts.bold(one is defined) }}{% endfor %}",
    "a name of Jinja's": '{% import "parts.html" as parts %}{{ parts.bold(range(2) | list) }}',
}
LEFT_TO_JINJA = {
    "a macro in a value that stands twice": '{% import "parts.html" as parts %}'
    '{{ parts.twice(parts.bold(x) ~ "<") }}',
    "a macro that may not be called": EXTENDS
    + "{% block body %}{{ parts.maybe(parts.bold(x), x) }}{% endblock %}",
    "super": EXTENDS + "{% block label %}{{ super() }}L{% endblock %}",
    "self as a value": EXTENDS + "{% block body %}{{ self.label() | upper }}{% endblock %}",
    "a block in a loop": '{% extends "loops.html" %}{% block item %}{{ x }}{% endblock %}',
    "a block that must be there": '{% extends "required.html" %}{% block item %}{{ x }}{% endblock %}',
    "a layout by a variable": "{% extends layout %}{% block body %}b{% endblock %}",
    "text before": 'first {% extends "layout.html" %}{% block body %}b{% endblock %}',
    "a condition": EXTENDS + "{% if x %}{% set y = 1 %}{% endif %}{% block body %}{{ y }}{% endblock %}",
    "a page that is a layout": '{% extends "blocks" %}{% block body %}{{ super() }}!{% endblock %}',
    "loops": '{% import "parts.html" as parts %}{{ parts.numbered([x]) }}',
    "defaults": '{% import "parts.html" as parts %}{{ parts.usual() }}{{ parts.usual(x) }}',
    "callers": '{% import "parts.html" as parts %}{% call parts.around() %}{{ x }}{% endcall %}',
    "values": '{% import "parts.html" as parts %}{{ parts.bold(x) | length }}{{ parts.bold(text=x) }}'
    "{{ parts.bold(*[x]) }}{{ parts.counted(x) }}{{ parts.more(1, a=2) }}{{ parts.outside() }}",
    "with context": '{% import "parts.html" as parts with context %}{{ parts.outside() }}{{ parts.bold(x) }}',
    "from": '{% from "parts.html" import bold %}{{ bold(x) }}',
    "an import twice": '{% import "parts.html" as parts %}{% import "other.html" as parts %}'
    "{{ parts.bold(x) }}",
    "a name twice": '{% import "parts.html" as parts %}{% for parts in [{"bold": range}] %}'
    "{{ parts.bold(2) }}{% endfor %}",
    "escaped otherwise": '{% import "parts.txt" as parts %}{{ parts.bold(x) }}',
    "a layout that is escaped otherwise": '{% extends "layout.txt" %}{% block body %}{{ x }}{% endblock %}',
    "a call that is escaped otherwise": '{% import "parts.html" as parts %}'
    "{% autoescape false %}{{ parts.bold(x) }}{{ x }}{% endautoescape %}",
    "a macro with a part that is escaped otherwise": '{% import "raw.html" as raw %}{{ raw.bold(x) }}',
    "a layout with a part that is escaped otherwise": '{% import "parts.html" as parts %}'
    '{% extends "raw-layout.html" %}{% block body %}{{ parts.bold(x) }}{% endblock %}',
    "a block with a part that is escaped otherwise": EXTENDS
    + "{% block body %}{% autoescape false %}{{ parts.bold(x) }}{% endautoescape %}{% endblock %}",
}
FILES = {
    "layout.html": LAYOUT,
    "layout.txt": LAYOUT,
    "middle.html": '{% extends "layout.html" %}'
    "{% block body %}<i>{% block inner %}{% endblock %}</i>{% endblock %}",
    "loops.html": "{% for one in [1, 2] %}{% block item %}{% endblock %}{% endfor %}",
    "required.html": "{% block item required %}{% endblock %}",
    "parts.html": PARTS_OF_PAGES,
    "parts.txt": PARTS_OF_PAGES,
    "raw.html": "{% macro bold(text) %}{% autoescape false %}{{ text }}{% endautoescape %}{{ text }}"
    "{% endmacro %}",
    "raw-layout.html": "{% autoescape false %}{% block body %}{% endblock %}{% endautoescape %}",
    "other.html": "{% macro bold(text) %}other{% endmacro %}",
    **WHOLE,
    **LEFT_TO_JINJA,
}


class _Plain(SandboxedEnvironment):
    def __init__(self) -> None:
        loader = DictLoader(FILES)
        super().__init__(
            loader=loader, undefined=StrictUndefined, autoescape=lambda name: not str(name).endswith(".txt")
        )


class _Flat(_Plain):
    def get_template(self, name: Any, parent: str | None = None, *args: Any, **kwargs: Any) -> Any:
        return PLAIN.get_template(name) if parent else super().get_template(name, parent, *args, **kwargs)

    def _generate(self, source: nodes.Template, name: Any, *args: Any, **kwargs: Any) -> str:
        return super()._generate(put_together(source, name), name, *args, **kwargs)


def put_together(source: nodes.Template, name: str) -> nodes.Template:
    assert callable(PLAIN.autoescape)
    return flattened(source, lambda other: PLAIN.parse(FILES[other]), PLAIN.autoescape, name)


PLAIN, FLAT = _Plain(), _Flat()


@pytest.mark.parametrize("name", [*WHOLE, *LEFT_TO_JINJA])
def test_it_says_the_same(name: str) -> None:
    for x in ("<x>", Markup("<x>"), "", 7):
        values = {"x": x, "y": ["&"], "layout": "layout.html"}
        results = []
        for way in (PLAIN, FLAT):
            try:
                results.append(way.get_template(name).render(values))
            except (TypeError, UndefinedError) as exc:
                results.append(f"{type(exc).__name__}: {exc}")
        assert results[0] == results[1]


@pytest.mark.parametrize("name", WHOLE)
def test_nothing_is_left_to_be_put_together(name: str) -> None:
    whole = put_together(PLAIN.parse(FILES[name]), name)
    assert not list(whole.find_all((nodes.Extends, nodes.Block, nodes.Import)))


@pytest.mark.parametrize("name", [f"{kind}/{part}" for kind in kinds() for part in PARTS])
def test_our_templates_are_whole_but_for_words_that_are_escaped_otherwise(name: str) -> None:
    environment = environment_for(language_for("de"))
    assert environment.loader is not None
    source = environment.compile(environment.loader.get_source(environment, name)[0], name, raw=True)
    assert "blocks = {}" in source
    asked_for = {line for line in source.splitlines() if "get_template" in line}
    assert all("fields.txt" in line for line in asked_for)


@pytest.mark.parametrize(
    ("source", "error", "text"),
    [
        ('{% extends "nothing.html" %}', TemplateNotFound, "nothing.html"),
        ('{% import "nothing.html" as parts %}{{ parts.bold(1) }}', TemplateNotFound, "nothing.html"),
        ('{% extends "broken.html" %}', TemplateSyntaxError, "Expected an expression"),
    ],
)
def test_what_is_wrong_with_another_template_is_the_same_error(
    monkeypatch: pytest.MonkeyPatch, source: str, error: type[Exception], text: str
) -> None:
    monkeypatch.setitem(FILES, "broken.html", "{{ }}")
    monkeypatch.setitem(FILES, "page.html", source)
    environment = environment_for(language_for("en"))
    monkeypatch.setattr(environment, "loader", DictLoader(FILES))
    monkeypatch.setattr(environment.as_written, "loader", DictLoader(FILES))
    for way in (environment.as_written, environment):
        with pytest.raises(error, match=text):
            way.get_template("page.html").render()
