"""`todo-workers templates`: how a mail looks, without sending one."""

from __future__ import annotations

import json
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tasks.cli.templates import app
from tasks.notifications.notice import RenderError
from tasks.notifications.rendering import kinds
from workers.errors import WrongUsage


def command(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def test_the_kinds_are_listed_with_their_variables() -> None:
    shown = command("list").stdout
    assert all(kind in shown for kind in kinds())
    assert "languages: en, de" in shown
    rows = [json.loads(line) for line in command("list", "--json").stdout.splitlines()]
    assert {row["kind"] for row in rows} == set(kinds())
    assert next(row["variables"] for row in rows if row["kind"] == "todo_reminder") == [
        "due",
        "late",
        "title",
        "when",
    ]


def test_a_mail_is_shown_in_the_terminal() -> None:
    shown = command("preview", "todo_reminder", "--language", "de-AT", "--value", "late=true").stdout
    assert shown.startswith("Subject: Erinnerung: Book flights to Lisbon\n\nHallo Ana Petrović,\n")
    assert "Diese Erinnerung kommt verspätet" in shown
    assert "Fällig: Freitag, 5. Juni 2026, 17:00 MESZ\n" in shown
    assert "12:00 EDT" not in shown


def test_another_zone_and_other_values_are_shown() -> None:
    shown = command(
        "preview", "todo_created", "--time-zone", "America/New_York", "--value", 'title="Milk"'
    ).stdout
    assert "New todo: Milk" in shown
    assert "11:00 EDT" in shown


def test_a_mail_is_written_as_a_page(tmp_path: Path) -> None:
    file = tmp_path / "mail.html"
    assert command("preview", "todo_created", "--to", str(file)).exit_code == 0
    assert file.read_text(encoding="utf-8").startswith('<!DOCTYPE html><html lang="en">')


def test_a_mail_is_written_as_a_mail(tmp_path: Path) -> None:
    file = tmp_path / "mail.eml"
    assert command("preview", "todo_created", "--to", str(file), "--language", "de").exit_code == 0
    mail = message_from_bytes(file.read_bytes(), policy=default)
    assert isinstance(mail, EmailMessage)
    assert mail["Subject"] == "Neues Todo: Book flights to Lisbon"
    assert mail["Content-Language"] == "de"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("todo_craeted",), "did you mean todo_created"),
        (("todo_created", "--to", "mail.pdf"), r"ends with \.eml or \.html"),
        (("todo_created", "--time-zone", "Europe/Berln"), "did you mean Europe/Berlin"),
        (("todo_created", "--language", "deutsch!"), "is not a language tag"),
        (("todo_created", "--value", "title=Milk"), "a name, = and a JSON value"),
    ],
)
def test_wrong_usage_is_told(words: tuple[str, ...], expected: str) -> None:
    with pytest.raises(WrongUsage, match=expected):
        raise command("preview", *words).exception or AssertionError


def test_a_value_that_the_template_cannot_show_is_told() -> None:
    assert isinstance(command("preview", "todo_created", "--value", "due=7").exception, RenderError)
