"""The audit trail: an append-only table."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None

_SQLITE_TRIGGERS = [
    f"""
    CREATE TRIGGER audit_trail_no_{change.lower()} BEFORE {change} ON audit_trail
    BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END
    """
    for change in ("UPDATE", "DELETE")
]

_POSTGRESQL_TRIGGERS = [
    """
    CREATE FUNCTION audit_trail_refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the audit trail is append-only'; END $$
    """,
    """
    CREATE TRIGGER audit_trail_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_trail
    FOR EACH STATEMENT EXECUTE FUNCTION audit_trail_refuse()
    """,
]


def upgrade() -> None:
    op.create_table(
        "audit_trail",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("todo_id", sa.Text(), nullable=True),
        sa.Column("before", sa.JSON(), nullable=True),
        sa.Column("after", sa.JSON(), nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_audit_trail"),
        sa.UniqueConstraint("event_id", name="uq_audit_trail_event_id"),
    )
    op.create_index("ix_audit_trail_todo_id_sequence", "audit_trail", ["todo_id", "sequence"])
    op.create_index("ix_audit_trail_time", "audit_trail", ["time"])
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in _SQLITE_TRIGGERS if on_sqlite else _POSTGRESQL_TRIGGERS:
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("audit_trail")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_trail_refuse()")
