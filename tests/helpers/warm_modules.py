"""Loads what warm programs need. Importing `tasks` reads the settings, so each program does that itself."""

from __future__ import annotations

import importlib
import pkgutil

import settings
import workers

#: The libraries of workers and commands, and what they import when they are first used.
LIBRARIES = (
    "aiosmtplib",
    "alembic.command",
    "alembic.config",
    "babel.dates",
    "babel.messages.mofile",
    "babel.messages.pofile",
    "babel.units",
    "css_inline",
    "dateutil.parser",
    "dramatiq.cli",
    "jinja2.sandbox",
    "psycopg",
    "rich.console",
    "rich.progress",
    "rich.table",
    "sqlite3",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.pysqlite",
)

for library in LIBRARIES:
    importlib.import_module(library)
for package in (settings, workers):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
