"""Reminders: their todos, their next alarms, their firings, and whose turn it is to reconcile them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "reminded_todos",
        sa.Column("todo_id", sa.Text(), nullable=False),
        sa.Column("newest_event", sa.Text(), nullable=False),
        sa.Column("opening_event", sa.Text(), nullable=True),
        sa.Column("closing_event", sa.Text(), nullable=True),
        sa.Column("todo", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("todo_id", name="pk_reminded_todos"),
    )
    op.create_table(
        "reminders",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("todo_id", sa.Text(), nullable=False),
        sa.Column("before_due", sa.String(16), nullable=False),
        sa.Column("plan", sa.Text(), nullable=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("version", _BIG, nullable=False),
        sa.Column("occurrence", _TIME, nullable=True),
        sa.Column("alarm_at", _TIME, nullable=True),
        sa.Column("moved", sa.Boolean(), nullable=False),
        sa.Column("alarm_version", _BIG, nullable=False),
        sa.Column("fired_occurrence", _TIME, nullable=True),
        sa.Column("fired_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_reminders"),
    )
    op.create_index("ix_reminders_todo_id", "reminders", ["todo_id"])
    op.create_index("ix_reminders_state_alarm_at", "reminders", ["state", "alarm_at"])
    op.create_table(
        "reminder_firings",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("reminder_id", sa.String(36), nullable=False),
        sa.Column("occurrence", _TIME, nullable=False),
        sa.Column("alarm_at", _TIME, nullable=False),
        sa.Column("fired_at", _TIME, nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("notice", sa.JSON(), nullable=True),
        sa.Column("sent_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_reminder_firings"),
    )
    for column in ("reminder_id", "fired_at", "sent_at"):
        op.create_index(f"ix_reminder_firings_{column}", "reminder_firings", [column])
    op.create_table(
        "shared_work",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("begun_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_shared_work"),
    )


def downgrade() -> None:
    for table in ("shared_work", "reminder_firings", "reminders", "reminded_todos"):
        op.drop_table(table)
