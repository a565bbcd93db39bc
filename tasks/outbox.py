"""The outbox of the chatbot, or of the application whose database the settings name, and its relay.

Apart from `app`, as a worker has no use for it. SQLAlchemy is loaded by the first call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .app import broker, once, settings

if TYPE_CHECKING:
    from workers.outbox.outbox import Outbox
    from workers.outbox.relay import Relay
    from workers.outbox.writing import Target

    from .storage.database import Database

#: Connections to the database: a relay works with one, listens with one, and one is to look with.
_CONNECTIONS = 3


@once
def outbox_database() -> Database:
    """Return this process's way to the outbox, in OUTBOX_DATABASE_URL or else DATABASE_URL."""
    from .storage.database import Database

    url = settings.outbox_database_url or settings.database_url
    return Database(url.get_secret_value(), pool_size=_CONNECTIONS)


def outbox() -> Outbox:
    """Return a look into the outbox. Does no I/O."""
    from workers.outbox.outbox import Outbox

    return Outbox(outbox_database().engine, outbox_database().readers)


def outbox_relay(target: Target = broker) -> Relay:
    """Make a relay of the outbox; ``target`` is the broker of the application whose messages are in it."""
    from workers.outbox.relay import Relay

    found = outbox_database()
    # Another application's database has a schema of its own.
    prepare = found.prepare if settings.outbox_database_url is None else (lambda: None)
    return Relay(target, found.engine, found.readers, prepare=prepare)
