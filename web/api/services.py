"""The chatbot's parts that the routes call: the same code as the commands call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache

from tasks import app, publishing
from tasks.actors.reminders import keeper
from tasks.notifications.recipients import RecipientStore
from tasks.reminders.outcomes import AlarmToSet
from tasks.storage.database import Database
from tasks.stories.jobs import JobSearch
from tasks.stories.telling import Stories
from workers.broker.sending import Written
from workers.errors import WorkersError
from workers.records.envelope import Record

#: Writes records of events in their order; see `tasks.publishing.write_events`.
WriteEvents = Callable[[Sequence[Record]], Awaitable[Sequence[Written | WorkersError]]]


@dataclass(frozen=True)
class Dapr:
    """How Dapr delivers events to this application; without a ``token`` it delivers none.

    The token is the one that the sidecar sends, as its APP_API_TOKEN says; ``pubsub`` and ``topic`` are what
    the sidecar is asked to subscribe to, if the first is set.
    """

    token: str | None = None
    pubsub: str | None = None
    topic: str = "todo-events"


@dataclass(frozen=True)
class Services:
    """What the routes call. Making it opens no connection; what is not a coroutine function blocks.

    Without an ``unsubscribe_secret``, nobody unsubscribes by a link.
    """

    event_log: str
    write_events: WriteEvents
    database: Callable[[], Database]
    recipients: Callable[[], RecipientStore]
    set_alarm: Callable[[AlarmToSet], object]
    stories: Callable[[], Stories]
    dapr: Dapr = Dapr()
    unsubscribe_secret: str | None = field(default=None, repr=False)


def services_of_tasks() -> Services:
    """The services of the chatbot that the settings describe, in this process."""
    web = app.settings.web
    token = web.dapr_token.get_secret_value() if web.dapr_token else None
    return Services(
        event_log=app.event_log,
        write_events=publishing.write_events,
        database=app.database,
        recipients=app.recipient_store,
        set_alarm=_set_alarm,
        stories=cache(lambda: Stories(app.database(), JobSearch(app.broker).find)),
        dapr=Dapr(token, web.dapr_pubsub, web.dapr_topic),
        unsubscribe_secret=app.unsubscribe_secret(),
    )


def _set_alarm(alarm: AlarmToSet) -> None:
    keeper().set_alarms([alarm], datetime.now(UTC))
