"""Alembic's revisions of the schema: `tasks.schema` runs them, on SQLite and on PostgreSQL."""
