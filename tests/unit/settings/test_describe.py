"""The table of settings: complete, and the same in the documentation."""

from __future__ import annotations

from settings import describe
from tests.helpers.repository import REPOSITORY
from tests.helpers.settings import load


def test_describe_lists_every_setting_with_a_default_that_can_be_set() -> None:
    rows = describe()
    sections = {
        "kafka": 21,
        "smtp": 14,
        "delivery": 1,
        "worker": 9,
        "reminder": 4,
        "event": 1,
        "audit": 3,
        "web": 23,
        "log": 1,
        "database": 1,
        "outbox": 1,
    }
    assert [row.variable.split("_")[0].lower() for row in rows] == [
        section for section, count in sections.items() for _ in range(count)
    ]
    assert all(row.meaning.endswith(".") and "|" not in row.meaning for row in rows)
    assert load({row.variable: row.default for row in rows if row.default}) == load({})


def test_the_documentation_has_the_table_of_settings() -> None:
    lines = (REPOSITORY / "docs" / "settings.md").read_text(encoding="utf-8").splitlines()
    table = [
        line
        for line in lines
        if line.startswith(
            (
                "| `KAFKA_",
                "| `SMTP_",
                "| `DELIVERY_",
                "| `WORKER_",
                "| `REMINDER_",
                "| `EVENT_",
                "| `AUDIT_",
                "| `WEB_",
                "| `LOG_",
                "| `DATABASE_",
                "| `OUTBOX_",
            )
        )
    ]
    assert table == [
        f"| `{variable}` | {f'`{default}`' if default else 'not set'} | {meaning} |"
        for variable, default, meaning in describe()
    ]
