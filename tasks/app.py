"""The chatbot's parts, made from the settings: the only module here that sees them.

Importing it reads the settings and opens no connection.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import cache, wraps
from typing import TypeVar

import dramatiq

from settings import load_settings
from workers.from_settings import broker_from

from .audit.trail import AuditStore
from .notifications.delivery_store import DeliveryStore
from .notifications.mail_message import Sender
from .notifications.recipients import RecipientStore
from .reminders.outcomes import LatePolicy
from .reminders.store import ReminderStore
from .retry_policy import retries
from .smtp.mailer import Mailer
from .smtp.server import Server
from .storage.database import Database

T = TypeVar("T")

settings = load_settings()

broker = broker_from(settings, retries=retries())
dramatiq.set_broker(broker)

#: The topic that events are published to, by anybody.
event_log = broker.topics.named("events")

sender = Sender(
    settings.smtp.sender,
    unsubscribe_url=settings.smtp.unsubscribe_url,
    unsubscribe_mailto=settings.smtp.unsubscribe_mailto,
)

#: What is done about reminders that come late, and how far ahead alarms are set, and set again.
reminder_policy = LatePolicy(
    skips=settings.reminder.missed == "skip", grace_s=settings.reminder.grace.total_seconds()
)
reconcile_every = settings.reminder.reconcile_every
max_delay = settings.worker.max_delay

_lock = threading.RLock()


def _once(make: Callable[[], T]) -> Callable[[], T]:
    """Have it made once in each process: a forked child gets its own, as no connection may cross a fork."""
    made = cache(lambda _pid: make())

    @wraps(make)
    def give() -> T:
        with _lock:
            return made(os.getpid())

    return give


@_once
def database() -> Database:
    """Give this process's database."""
    return Database(settings.database_url.get_secret_value(), pool_size=settings.worker.threads)


@_once
def audit_store() -> AuditStore:
    """Give this process's audit store."""
    return AuditStore(database())


@_once
def reminder_store() -> ReminderStore:
    """Give this process's reminders."""
    return ReminderStore(database())


@_once
def delivery_store() -> DeliveryStore:
    """Give this process's record of deliveries."""
    return DeliveryStore(database())


@_once
def recipient_store() -> RecipientStore:
    """Give this process's record of what recipients want."""
    return RecipientStore(database())


@_once
def mailer() -> Mailer:
    """Give this process's mailer."""
    smtp = settings.smtp
    # Half of the claim: what is left is for noting that the mail is sent.
    limit_s = smtp.lease_s / 2
    return Mailer(mail_server(), connections=smtp.connections, idle_s=smtp.idle_s, limit_s=limit_s)


def mail_server() -> Server:
    """Give the server that takes the mails."""
    smtp = settings.smtp
    return Server(
        host=smtp.host,
        port=smtp.port,
        tls=smtp.tls,
        ca_file=smtp.ca_file,
        username=smtp.username,
        password=smtp.password.get_secret_value() if smtp.password else None,
        timeout_s=smtp.timeout_s,
    )


class _ClosesMailer(dramatiq.Middleware):
    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:  # noqa: ARG002
        mailer().close()


broker.add_middleware(_ClosesMailer())
