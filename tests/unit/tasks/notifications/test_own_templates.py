"""Templates of a team's own: a folder that is added is a kind, and an error says what to mend in it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tasks.notifications.notice import Notice, RenderError
from tasks.notifications.rendering import kinds, render, sample_values
from tasks.notifications.template_environment import environment_for
from tests.helpers.repository import REPOSITORY
from tests.helpers.samples import an_owner

KIND = "shopping_list"
FILES = {
    "subject.txt": "{% trans title=title | line %}Shopping: {{ title }}{% endtrans %}",
    "body.txt": "{{ _('Title') }}: {{ title | line }}",
    "body.html": (
        "<html><head><meta charset='utf-8'><style>ul.list > li { margin: 0 } li:last-child { top: 0 }</style>"
        "</head><body><ul class='list'>{% for one in things %}<li>{{ one }}</li>{% endfor %}</ul>"
        '<a href="https://todo.example/{{ title | urlencode }}">{{ title | line }}</a></body></html>'
    ),
    "sample.json": '{"title": "Party & more", "things": ["Milk", "<Eggs>"]}',
}

#: Writes the folder of the kind, some of its files otherwise or not at all.
WriteKind = Callable[..., None]


@pytest.fixture
def write_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WriteKind]:
    shutil.copytree(REPOSITORY / "templates", tmp_path / "templates")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "templates", raising=False)

    def write(**others: str | None) -> None:
        (tmp_path / "templates" / KIND).mkdir()
        for name, text in (FILES | {name.replace("_", "."): text for name, text in others.items()}).items():
            if text is not None:
                (tmp_path / "templates" / KIND / name).write_text(text, encoding="utf-8")

    for cached in (kinds, environment_for):
        cached.cache_clear()
    yield write
    for cached in (kinds, environment_for):
        cached.cache_clear()


def a_notice() -> Notice:
    return Notice(id=uuid4(), kind=KIND, recipient=an_owner(language="de"), values=sample_values(KIND))


def test_a_folder_is_a_kind(write_kind: WriteKind) -> None:
    write_kind()
    assert KIND in kinds()
    mail = render(a_notice())
    assert mail.subject == "Shopping: Party & more"
    assert mail.text == "Titel: Party & more"
    assert '<li style="margin: 0;">Milk</li><li style="top: 0;margin: 0;">&lt;Eggs&gt;</li>' in mail.html
    assert '<a href="https://todo.example/Party%20%26%20more">Party &amp; more</a>' in mail.html


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {"body_html": None},
            f"{KIND}/body.html could not be rendered: there is no template {KIND}/body.html",
        ),
        ({"body_html": "{% if %}"}, f"{KIND}/body.html could not be rendered: Expected an expression"),
        ({"body_txt": "{{ titel }}"}, f"{KIND}/body.txt could not be rendered: 'titel' is undefined"),
        (
            {"body_txt": "{{ title | lines }}"},
            f"{KIND}/body.txt could not be rendered: No filter named 'lines'",
        ),
        (
            {"body_txt": "{{ _('100 %') }}"},
            f"{KIND}/body.txt could not be rendered: ValueError: incomplete format",
        ),
        (
            {"body_txt": "{{ ''.__class__.mro() }}"},
            "access to attribute '__class__' of 'str' object is unsafe",
        ),
        ({"subject_txt": " "}, f"{KIND}/subject.txt gave an empty subject"),
        ({"sample_json": None}, f"There is no {KIND}/sample.json beside the mail templates"),
        (
            {"sample_json": "{"},
            f"{KIND}/sample.json beside the mail templates is not JSON: .* line 1 column 2",
        ),
        ({"sample_json": "[]"}, f"{KIND}/sample.json beside the mail templates is not a JSON object"),
    ],
)
def test_an_error_names_the_file(write_kind: WriteKind, files: dict[str, str | None], expected: str) -> None:
    write_kind(**files)
    with pytest.raises(RenderError, match=expected):
        render(a_notice())
