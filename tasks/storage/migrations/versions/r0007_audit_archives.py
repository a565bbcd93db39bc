"""The months of the audit trail that are archived; only their rows may be deleted from the trail."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0007"
down_revision: str | None = "0006"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TO_SQLITE = [
    "DROP TRIGGER audit_trail_no_delete",
    """
    CREATE TRIGGER audit_trail_no_delete BEFORE DELETE ON audit_trail
    WHEN OLD.sequence > (SELECT coalesce(max(last_sequence), 0) FROM audit_archives)
    BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END
    """,
    *(
        f"""
        CREATE TRIGGER audit_archives_no_{change.lower()} BEFORE {change} ON audit_archives
        BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END
        """
        for change in ("UPDATE", "DELETE")
    ),
]
_TO_POSTGRESQL = [
    "DROP TRIGGER audit_trail_append_only ON audit_trail",
    """
    CREATE TRIGGER audit_trail_append_only BEFORE UPDATE OR TRUNCATE ON audit_trail
    FOR EACH STATEMENT EXECUTE FUNCTION audit_trail_refuse()
    """,
    """
    CREATE FUNCTION audit_trail_refuse_delete() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN
        IF (SELECT max(sequence) FROM gone) >
            (SELECT coalesce(max(last_sequence), 0) FROM audit_archives) THEN
            RAISE EXCEPTION 'the audit trail is append-only';
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER audit_trail_no_delete AFTER DELETE ON audit_trail REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION audit_trail_refuse_delete()
    """,
    """
    CREATE TRIGGER audit_archives_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_archives
    FOR EACH STATEMENT EXECUTE FUNCTION audit_trail_refuse()
    """,
]
_FROM_SQLITE = [
    "DROP TRIGGER audit_trail_no_delete",
    """
    CREATE TRIGGER audit_trail_no_delete BEFORE DELETE ON audit_trail
    BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END
    """,
]
_FROM_POSTGRESQL = [
    "DROP TRIGGER audit_trail_no_delete ON audit_trail",
    "DROP FUNCTION audit_trail_refuse_delete()",
    "DROP TRIGGER audit_trail_append_only ON audit_trail",
    """
    CREATE TRIGGER audit_trail_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_trail
    FOR EACH STATEMENT EXECUTE FUNCTION audit_trail_refuse()
    """,
]


def upgrade() -> None:
    op.create_table(
        "audit_archives",
        sa.Column("month", sa.String(7), nullable=False),
        sa.Column("first_sequence", _BIG, nullable=False),
        sa.Column("last_sequence", _BIG, nullable=False),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("last_hash", sa.String(64), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("month", name="pk_audit_archives"),
        sa.UniqueConstraint("first_sequence", name="uq_audit_archives_first_sequence"),
    )
    for statement in _TO_SQLITE if _is_sqlite() else _TO_POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    # The trail goes on from the last archived row, and nothing else in the database knows that row.
    if op.get_bind().execute(sa.text("SELECT month FROM audit_archives LIMIT 1")).first():
        raise CommandError(
            "months of the audit trail are archived: without audit_archives it has no beginning"
        )
    for statement in _FROM_SQLITE if _is_sqlite() else _FROM_POSTGRESQL:
        op.execute(statement)
    op.drop_table("audit_archives")


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"
