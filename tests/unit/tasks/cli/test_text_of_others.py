"""What the database says reaches the terminal as text, and controls it nowhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.audit.reading import AuditFilter
from tasks.audit.verify import Verdict
from tasks.cli import audit_output, recipients, reminders_output
from tasks.notifications.recipients import Preferences
from tasks.reminders.outcomes import ReminderState
from tasks.reminders.reminder import Reminder
from tests.helpers.hostile_text import HOSTILE, SHOWN, is_safe, printed

WHEN = datetime(2026, 6, 5, tzinfo=UTC)


def test_the_notices_of_a_recipient_and_what_it_wants(capsys: pytest.CaptureFixture[str]) -> None:
    row: Any = SimpleNamespace(
        updated_at=WHEN, until=None, kind=HOSTILE, state="failed", id=HOSTILE, error=HOSTILE
    )
    recipients._print_preferences("ann@example.com", Preferences(frozenset({HOSTILE})))
    shown = printed(recipients._table([row])) + capsys.readouterr().out
    assert shown.count(SHOWN) == 4
    assert is_safe(shown)


def test_reminders() -> None:
    state, time = ReminderState.WAITING, (WHEN, WHEN)
    one = Reminder(
        HOSTILE, HOSTILE, HOSTILE, HOSTILE, "UTC", HOSTILE, HOSTILE, state, 1, *time, False, True, None, None
    )
    assert is_safe(printed(reminders_output._table([one])))


def test_what_the_audit_trail_holds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    verdict = Verdict()
    verdict.add(HOSTILE)
    monkeypatch.setattr(audit_output, "verify", lambda *_, **__: verdict)
    database: Any = SimpleNamespace(name="todos")
    audit_output.check(database, None, as_json=False)
    shown = capsys.readouterr().out
    assert SHOWN in shown
    assert is_safe(shown)


@pytest.mark.parametrize("show", [audit_output.show_json, audit_output.show_csv])
def test_the_json_of_audit_rows_has_control_characters_as_escapes(
    capsys: pytest.CaptureFixture[str], show: Callable[..., int]
) -> None:
    texts = dict.fromkeys(audit_output._COLUMNS, "a")  # an event with a control character in those is refused
    row = texts | {"time": WHEN, "recorded_at": WHEN, "after": {"title": HOSTILE, "owner": "Zoë"}}
    show(None, AuditFilter(), limit=None, source=lambda *_: iter([row]))
    shown = capsys.readouterr().out
    assert is_safe(shown)
    assert "Zoë" in shown
    if show is audit_output.show_json:
        assert json.loads(shown)["after"]["title"] == HOSTILE
