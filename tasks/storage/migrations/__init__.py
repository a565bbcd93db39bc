"""Alembic's revisions of the schema: `tasks.storage.schema` runs them, on SQLite and on PostgreSQL."""
