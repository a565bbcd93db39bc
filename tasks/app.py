"""The composition root: the chatbot's parts, made from the settings. No other module of `tasks` sees those.

Importing it reads the settings, sets dramatiq's broker and opens no connection. The stores, the mailer and
the notifier are imported and made when they are first asked for: a program that publishes, or a command that
lists dead letters, loads no database, templates or mail. A worker asks for all of them as it starts.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cache, wraps
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

import dramatiq

from settings import Settings, SettingsError, load_settings
from workers.from_settings import broker_from
from workers.runtime import logs
from workers.runtime.garbage import make_collections_rare
from workers.traces import environment

from .reminders.outcomes import LatePolicy
from .retry_policy import retries
from .updates.announcer import Announcer, UpdateTopic, announce_nothing
from .updates.records import RETENTION_MS, Update

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, sessionmaker

    from .audit.trail import AuditStore
    from .effects.engine import EffectsEngine
    from .effects.event_in_hand import Effect
    from .effects.later import Alarms, Left
    from .notifications.delivery_store import DeliveryStore
    from .notifications.mail_message import Sender
    from .notifications.notice import Notice
    from .notifications.notifier import Notifier
    from .notifications.recipients import RecipientStore
    from .reminders.store import ReminderStore
    from .smtp.mailer import Mailer
    from .smtp.server import Server
    from .storage.database import Database

T = TypeVar("T")

logger = logging.getLogger(__name__)

#: Whether dramatiq's command imports this: then the log of the process is ours.
_IN_WORKER = "dramatiq.cli" in sys.modules

#: dramatiq's exit status of a worker process that could not import its module.
_CANNOT_IMPORT = 2

#: Connections to the database for the threads of the effects, besides those of the worker's threads.
_OWN_CONNECTIONS = 2
#: How many mails may be on their way before events wait, for each connection to the mail server.
EVENT_MAILS_PER_CONNECTION = 6


def _load_settings() -> Settings:
    try:
        return load_settings()
    except SettingsError as exc:
        if not _IN_WORKER:
            raise
        # dramatiq's command would show a traceback, which helps nobody who has to mend a setting.
        logger.critical("worker cannot start: %s", "; ".join(exc.problems))
        sys.exit(_CANNOT_IMPORT)


settings = _load_settings()
logs.prefer(settings.log_format)
if _IN_WORKER:
    logs.set_up()
    environment.start()

broker = broker_from(settings, retries=retries())
dramatiq.set_broker(broker)

#: The topic that events are published to, by anybody.
event_log = broker.topics.named("events")

#: The topic that workers write what they did into; None if they do not, as WEB_UPDATES is off.
update_log = broker.topics.named("updates") if settings.web.updates == "on" else None
if update_log is not None:
    broker.sending.add_log(update_log, retention_ms=RETENTION_MS)

#: The policy for late reminders, and how far ahead alarms are set, and set again.
reminder_policy = LatePolicy(settings.reminder.missed == "skip", settings.reminder.grace.total_seconds())
reconcile_every = settings.reminder.reconcile_every
#: For how many days deliveries and reminders are kept; see `tasks.pruning`.
kept_days = {"delivery_days": settings.delivery.kept_days, "reminder_days": settings.reminder.kept_days}
max_delay = settings.worker.max_delay

if settings.log_format == "json":
    from workers.middleware.names_job_in_logs import NamesJobInLogs

    broker.add_middleware(NamesJobInLogs())

if settings.worker.http is not None:
    from workers.serving import ServesHttp

    _host, _, _port = settings.worker.http.rpartition(":")
    _with_dramatiq = settings.worker.dramatiq_metrics == "on"
    broker.add_middleware(ServesHttp(_host.strip("[]"), int(_port), dramatiq_names=_with_dramatiq))

_lock = threading.RLock()


def once(make: Callable[[], T]) -> Callable[[], T]:
    """Call ``make`` once in each process: a forked child makes its own, as no connection may cross a fork."""
    made = cache(lambda _pid: make())

    @wraps(make)
    def give() -> T:
        with _lock:
            return made(os.getpid())

    return give


@once
def database() -> Database:
    """Return this process's database."""
    from .storage.database import Database

    pool_size = settings.worker.threads + _OWN_CONNECTIONS
    return Database(settings.database_url.get_secret_value(), pool_size=pool_size)


@once
def audit_store() -> AuditStore:
    """Return this process's audit store."""
    from .audit.trail import AuditStore

    return AuditStore(database())


@once
def reminder_store() -> ReminderStore:
    """Return this process's reminders."""
    from .reminders.store import ReminderStore

    return ReminderStore(database())


@once
def delivery_store() -> DeliveryStore:
    """Return this process's record of deliveries."""
    from .notifications.delivery_store import DeliveryStore

    return DeliveryStore(database())


@once
def recipient_store() -> RecipientStore:
    """Return this process's record of what recipients want."""
    from .notifications.recipients import RecipientStore

    return RecipientStore(database())


@once
def sessions() -> sessionmaker[Session]:
    """Return a factory of sessions on this process's database, whose schema it checks first.

    Raises DatabaseError.
    """
    from sqlalchemy.orm import sessionmaker

    with database().reading():
        return sessionmaker(database().engine)


@once
def mailer() -> Mailer:
    """Return this process's mailer."""
    from .smtp.mailer import Mailer

    smtp = settings.smtp
    # Half of the lease; the rest is for recording that the mail was sent.
    limit_s = smtp.lease_s / 2
    return Mailer(mail_server(), connections=smtp.connections, idle_s=smtp.idle_s, limit_s=limit_s)


@once
def mail_server() -> Server:
    """Return the server that takes the mails."""
    from .smtp.server import Server

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


@once
def sender() -> Sender:
    """Return the sender of every mail."""
    from .notifications.mail_message import Sender

    smtp = settings.smtp
    return Sender(smtp.sender, smtp.unsubscribe_url, smtp.unsubscribe_mailto, unsubscribe_secret())


def unsubscribe_secret() -> str | None:
    """Return the key that signs what links to unsubscribe name; see `notifications.unsubscribe_links`."""
    secret = settings.smtp.unsubscribe_secret
    return secret.get_secret_value() if secret else None


@once
def announcer() -> Callable[[Update], None]:
    """Return this process's way to say what it did."""
    return announce_nothing if update_log is None else Announcer(UpdateTopic(broker.sending, update_log))


def notifier(*, postpone: Callable[[Notice, datetime, datetime], None]) -> Notifier:
    """Make a notifier; for ``postpone`` see `notifications.notifier.Notifier`."""
    from .notifications.notifier import Notifier

    return Notifier(
        delivery_store(),
        recipient_store(),
        mailer(),
        sender(),
        postpone=postpone,
        lease=timedelta(seconds=settings.smtp.lease_s),
    )


def effects_engine(
    *,
    enqueue: Callable[[Sequence[Left]], None],
    set_alarms: Callable[[Sequence[Alarms]], None],
    notice_id: Callable[[UUID], UUID],
    stopped: Callable[[], Sequence[Effect]],
) -> EffectsEngine:
    """Make the engine of the effects; see `effects.later.Later` and `effects.batch.Parts`."""
    from .effects.batch import Parts
    from .effects.engine import EffectsEngine
    from .effects.later import Later
    from .notifications.notifier import SETTLE_PATIENCE_S

    lease = timedelta(seconds=settings.smtp.lease_s)
    stores = reminder_store(), delivery_store(), recipient_store()
    parts = Parts(database(), *stores, sender(), lease, notice_id, stopped=stopped)
    return EffectsEngine(
        parts,
        mailer(),
        Later(enqueue, set_alarms),
        most_mails=EVENT_MAILS_PER_CONNECTION * settings.smtp.connections,
        settle_patience_s=SETTLE_PATIENCE_S,
    )


class LoadsAndCloses(dramatiq.Middleware):
    """Makes the parts that a worker needs before its first job, and closes the mailer after its last."""

    def before_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:  # noqa: ARG002
        from .effects import engine  # noqa: F401
        from .notifications import notifier  # noqa: F401 - with what renders the templates
        from .reminders import keeper  # noqa: F401
        from .storage import shared_work  # noqa: F401

        for make in (audit_store, reminder_store, delivery_store, recipient_store, mailer, sender):
            make()
        make_collections_rare()

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:  # noqa: ARG002
        mailer().close()
        if isinstance(announce := announcer(), Announcer):
            announce.close()


broker.add_middleware(LoadsAndCloses())
