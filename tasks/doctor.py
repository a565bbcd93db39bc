"""The chatbot's checks in `todo-workers doctor`: its database and its mail server."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .app import database, mail_server, sender

if TYPE_CHECKING:
    from .storage.database import Database


def check_database() -> str:
    """Say which schema the database has. Raises DatabaseError if workers could not use it."""
    from .storage import schema

    found = database()
    if found.is_sqlite:
        return _check_file(found)
    with found.reading():
        return f"{found.name} answers, with the schema {schema.needed()}"


def check_smtp() -> str:
    """Connect to the mail server, log in and begin a mail from SMTP_SENDER. Raises MailNotSent."""
    server, address = mail_server(), sender().address
    asyncio.run(server.check(address))
    login = f"takes {server.username}" if server.username else "answers, no login is set"
    return f"{server.host}:{server.port} {login}; it takes mails from {address}"


def check_outbox() -> str:
    """Say how the outbox stands. Raises WorkersError if rows wait for too long, or were set aside."""
    from .looking import check_outbox

    return check_outbox()


def _check_file(found: Database) -> str:
    """Check the file without making it: the first worker does that."""
    from .storage.engine import DatabaseError

    file = Path(found.engine.url.database or "")
    if not file.exists():
        if not os.access(file.parent, os.W_OK):
            raise DatabaseError(
                f"{found.name} cannot be made: {file.parent} is no folder that can be written to"
            )
        return f"{found.name} is not there yet; the first use makes it"
    if not os.access(file, os.W_OK):
        raise DatabaseError(f"{found.name} cannot be written to: check who owns {file}")
    revision = found.revision()
    return f"{found.name} has the schema {revision}" if revision else f"{found.name} is empty"


#: The checks, by the names under which the doctor shows them.
doctor_checks: Mapping[str, Callable[[], str]] = {
    "database": check_database,
    "outbox": check_outbox,
    "smtp": check_smtp,
}
