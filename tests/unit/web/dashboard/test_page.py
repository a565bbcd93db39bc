from __future__ import annotations

import pytest
from jinja2 import Environment

from web.dashboard.page import HERE, environment


def test_no_page_waits_until_its_template_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    made = environment.__wrapped__()  # a new one: pages of other tests have used the other

    def compile_late(_: Environment, *given: object) -> None:
        raise AssertionError(f"compiled late: {given[1]}")

    monkeypatch.setattr(Environment, "compile", compile_late)
    for path in (HERE / "templates").iterdir():
        made.get_template(path.name)
