"""What Alembic runs to migrate: it gets a connection, in a transaction, from `tasks.storage.schema`."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
