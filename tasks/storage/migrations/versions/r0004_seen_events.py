"""Reminders: all events that are known of a todo, so that the order of the log can count."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"


def upgrade() -> None:
    op.add_column("reminded_todos", sa.Column("events", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("reminded_todos", "events")
