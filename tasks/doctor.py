"""The chatbot's checks in `todo-workers doctor`: its database and its mail server."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .app import broker, database, event_log, kept_days, mail_server, sender

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


def check_pruning() -> str:
    """Say how long it is kept what was done of an event. Raises WorkersError if events stay for longer."""
    from workers.errors import WorkersError
    from workers.operations.topic_check import check
    from workers.topics import TopicSpec, log_config

    (checked,) = check(broker.cluster, [TopicSpec(event_log, 1, config=log_config(0))])
    config = checked.found.config if checked.found else None
    days = kept_days["delivery_days"]
    kept = f"deliveries are kept for {days:g} days"
    if config is None or "retention.ms" not in config:
        return f"{kept}; how long {event_log} keeps its events is not known"
    log_days = int(config["retention.ms"]) / 86_400_000
    if 0 <= log_days < days:
        return f"{kept}, events in {event_log} for {log_days:g}"
    raise WorkersError(
        f"{kept}, but events in {event_log} {f'for {log_days:g}' if log_days > 0 else 'for ever'}: one that "
        "comes again later than that is mailed again; set DELIVERY_KEPT_DAYS, or the topic's retention.ms"
    )


def check_outbox() -> str:
    """Say how the outbox stands. Raises WorkersError if rows wait for too long, or were set aside."""
    from .outbox_checks import check_outbox

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
    "pruning": check_pruning,
    "smtp": check_smtp,
}
