"""Alembic runs this to migrate, on a connection in a transaction that `tasks.storage.schema` passes in."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
