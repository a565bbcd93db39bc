"""Indexes to find the reminders of an owner, and what is old enough to be pruned."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision: str | None = "0005"

# Of the todo itself, so that they hold for rows of before, and for those that older workers still write.
_OWNER = {
    "sqlite": "lower(json_extract(todo, '$.owner.email'))",
    "postgresql": "lower((todo -> 'owner') ->> 'email')",
}


def upgrade() -> None:
    owner = _OWNER[op.get_bind().dialect.name]
    op.execute(f"CREATE INDEX ix_reminded_todos_owner ON reminded_todos ({owner})")
    op.create_index("ix_reminded_todos_newest_event", "reminded_todos", ["newest_event"])
    op.create_index("ix_deliveries_created_at", "deliveries", ["created_at"])


def downgrade() -> None:
    op.drop_index("ix_deliveries_created_at", "deliveries")
    op.drop_index("ix_reminded_todos_newest_event", "reminded_todos")
    op.drop_index("ix_reminded_todos_owner", "reminded_todos")
