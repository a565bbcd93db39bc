from __future__ import annotations

import re
from pathlib import Path

import pytest
from jinja2 import Environment

from web import chatbot
from web.dashboard.page import HERE, environment

TEMPLATES = [*HERE.glob("templates/*.html"), *Path(chatbot.__file__).parent.glob("templates/*.html")]


def test_no_page_waits_until_its_template_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    made = environment.__wrapped__()  # a new one: pages of other tests have used the other

    def compile_late(_: Environment, *given: object) -> None:
        raise AssertionError(f"compiled late: {given[1]}")

    monkeypatch.setattr(Environment, "compile", compile_late)
    for path in (HERE / "templates").iterdir():
        made.get_template(path.name)


def test_a_form_in_which_somebody_types_has_one_button() -> None:
    """Enter presses the first button of a form, whichever one stands beside the field."""
    forms = [form for path in TEMPLATES for form in re.findall(r"(?s)<form\b.*?</form>", path.read_text())]
    typed = [form for form in forms if re.search(r'<input(?![^>]* type="hidden")', form)]
    assert len(typed) > 10
    assert [form for form in typed if form.count("<button") > 1] == []
