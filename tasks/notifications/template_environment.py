"""Jinja's environment for the mails of one language: a sandbox with filters, the words compiled in.

A template that is asked for to be rendered is put together as it is compiled (`flattening`). One that another
template asks for, where it could not be put together, is compiled as it is written.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache, lru_cache
from gettext import NullTranslations
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from jinja2 import PackageLoader, StrictUndefined, Template, Undefined, nodes, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment

from ..schedules.offsets import InvalidOffset
from ..text import joined, one_line, paragraphs, shorten
from .flattening.page import flattened
from .languages import Language
from .schedule_words import offset_words, rule_words
from .translation import translate

E = TypeVar("E", bound="_Environment")

#: Longest value shown in a list of changes, in characters.
MAX_CHANGE_LENGTH = 1_000


@cache
def environment_for(language: Language) -> FlatEnvironment:
    """The environment in which the mails of ``language`` are rendered; a template is compiled once in it."""
    environment = _environment(FlatEnvironment, language)
    environment.as_written = _environment(_Environment, language)
    return environment


def _environment(kind: type[E], language: Language) -> E:
    environment = kind(
        loader=PackageLoader("templates", ""),
        extensions=["jinja2.ext.i18n"],
        autoescape=lambda name: name is not None and name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.words = language.words
    environment.install_gettext_translations(language.words, newstyle=True)  # type: ignore[attr-defined]
    environment.filters |= {"line": _line, "paragraphs": _paragraphs} | _filters(language)
    return environment


class _Environment(SandboxedEnvironment):
    """A sandbox that compiles templates with the texts of ``words`` in them."""

    words: NullTranslations

    def _generate(self, source: nodes.Template, *args: Any, **kwargs: Any) -> str:
        return super()._generate(translate(source, self.words), *args, **kwargs)


class FlatEnvironment(_Environment):
    """One that puts templates together; for what they still ask for there is another one."""

    as_written: _Environment

    def get_template(self, name: Any, parent: str | None = None, *args: Any, **kwargs: Any) -> Template:
        """Called by the user without a parent, and by a template with its name."""
        if parent is not None:
            return self.as_written.get_template(name, parent, *args, **kwargs)
        return super().get_template(name, parent, *args, **kwargs)

    def _generate(self, source: nodes.Template, name: str | None, *args: Any, **kwargs: Any) -> str:
        assert callable(self.autoescape)
        whole = flattened(translate(source, self.words), self._parsed, self.autoescape, name or "")
        return super()._generate(whole, name, *args, **kwargs)

    def _parsed(self, name: str) -> nodes.Template:
        assert self.loader is not None
        source, filename, _ = self.loader.get_source(self, name)
        return translate(self.parse(source, name, filename), self.words)


def _filters(language: Language) -> dict[str, Callable[..., str]]:
    @lru_cache(maxsize=64)  # a mail shows each of its times in several places
    def shown(time: str, zone: str) -> str:
        moment = datetime.fromisoformat(time)
        if moment.tzinfo is None:
            raise ValueError(f"the time {time!r} has no zone")
        return language.show_time(moment, ZoneInfo(zone))

    @pass_context
    def time(context: Context, value: object) -> str:
        """A time, given in ISO 8601, in the recipient's zone and language."""
        return shown(_text(value), context["time_zone"])

    # A value that was may be wrong, and what it is now mends that: both are shown as they are.
    def owner(_: Context, value: Any) -> str:
        return f"{one_line(_text(value['name']))} <{one_line(joined(value['email']))}>"

    def all_reminders(_: Context, value: Any) -> str:
        return ", ".join(map(reminder, [value] if isinstance(value, str) else value))

    def reminder(value: object) -> str:
        offset = one_line(_text(value))
        try:
            return offset_words(offset, language)
        except InvalidOffset:
            return offset

    def description(_: Context, value: Any) -> str:
        return shorten(_paragraphs(value), MAX_CHANGE_LENGTH)

    fields: dict[str, Callable[[Context, Any], str]] = {
        "due": time,
        "owner": owner,
        "title": lambda _, value: one_line(_text(value)),
        "reminders": all_reminders,
        "recurrence": lambda _, value: rule_words(one_line(joined(value)), language),
    }

    @pass_context
    def field_value(context: Context, value: Any, field: str) -> str:
        """The value of a todo's field in words; no value is an empty text."""
        return "" if value is None or value == "" else fields.get(field, description)(context, value)

    return {"time": time, "field_value": field_value}


def _line(value: object) -> str:
    line = one_line(_text(value))
    if not line:
        raise ValueError("the text is blank")
    return line


def _paragraphs(value: object) -> str:
    return paragraphs(_text(value))


def _text(value: object) -> str:
    if isinstance(value, Undefined):
        str(value)  # raises an error that names the variable
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value
