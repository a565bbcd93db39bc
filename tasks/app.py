"""The chatbot's parts, made from the settings: the only module here that sees them.

Importing it reads the settings and opens no connection.
"""

from __future__ import annotations

import os
import threading
from functools import cache

import dramatiq

from settings import load_settings
from workers.configure import broker_from

from .audit import AuditStore
from .database import Database
from .failures import retries
from .mail import Mailer

settings = load_settings()

broker = broker_from(settings, retries=retries())
dramatiq.set_broker(broker)

sender = settings.smtp.sender

mailer = Mailer(
    host=settings.smtp.host,
    port=settings.smtp.port,
    tls=settings.smtp.tls,
    ca_file=settings.smtp.ca_file,
    username=settings.smtp.username,
    password=settings.smtp.password.get_secret_value() if settings.smtp.password else None,
    timeout_s=settings.smtp.timeout_s,
)

_lock = threading.Lock()


def database() -> Database:
    """Give this process's database; a forked child gets its own, as no connection may cross a fork."""
    with _lock:
        return _database_of(os.getpid())


@cache
def _database_of(_pid: int) -> Database:
    return Database(settings.database_url.get_secret_value(), pool_size=settings.worker.threads)


def audit_store() -> AuditStore:
    """Give this process's audit store."""
    return AuditStore(database())
