"""Notifications: the preferences of recipients, and the deliveries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "recipients",
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("opted_out", sa.JSON(), nullable=False),
        sa.Column("quiet_hours", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("address", name="pk_recipients"),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claim", sa.Text(), nullable=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
    )
    op.create_index("ix_deliveries_recipient_updated_at", "deliveries", ["recipient", "updated_at"])


def downgrade() -> None:
    op.drop_table("deliveries")
    op.drop_table("recipients")
