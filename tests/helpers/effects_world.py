"""The effects of events on a real database; a mailer and a Kafka that do as they are told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from uuid import UUID, uuid5

from sqlalchemy import select

from tasks.audit.trail import audit_trail
from tasks.effects.batch import Parts
from tasks.effects.engine import EffectsEngine
from tasks.effects.event_in_hand import Effect, EventInHand
from tasks.effects.later import Alarms, Later, Left
from tasks.events.models import AnyEvent, OtherEvent, read_any_event
from tasks.notifications.delivery_store import DeliveryStore
from tasks.notifications.mail_message import Sender
from tasks.notifications.recipients import RecipientStore
from tasks.reminders.outcomes import AlarmToSet
from tasks.reminders.store import ReminderStore
from tasks.smtp.mail import Mail
from tasks.smtp.mailer import Mailer
from tasks.smtp.submission import Answered
from tasks.storage.database import Database
from tests.helpers.waiting import wait_for

LEASE = timedelta(seconds=60)
#: How many mails may be on their way.
MOST_MAILS = 16


class ObedientMailer(Mailer):
    """Takes every mail; if it ``holds``, it answers when it is told to."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.waiting: list[tuple[Mail, Answered]] = []
        self.held: list[Mail] = []
        self.holds = False
        self.is_well = True
        #: The engine asks whether the mailer is ready in each batch: there it can be held.
        self.asked, self.may_go_on = threading.Event(), threading.Event()
        self.may_go_on.set()
        #: What becomes of a mail: None, or the error.
        self.answer: Callable[[Mail], Exception | None] = lambda _: None

    @property
    def is_ready(self) -> bool:
        self.asked.set()
        assert self.may_go_on.wait(30)
        return self.is_well

    def submit(self, mail: Mail, answered: Answered, *, hold: bool = False) -> None:
        assert hold, "a worker that is killed would repeat more than one mail a connection"
        if self.holds:
            self.waiting.append((mail, answered))
        else:
            self._tell(mail, answered)

    def settled(self, *mails: Mail) -> None:
        for mail in mails:
            self.held.remove(mail)

    def answer_all(self) -> None:
        for _ in range(len(self.waiting)):  # the engine may add to them meanwhile
            self._tell(*self.waiting.pop(0))

    def close(self) -> None:
        pass

    def _tell(self, mail: Mail, answered: Answered) -> None:
        error = self.answer(mail)
        if error is None:
            self.mails.append(mail)
        self.held.append(mail)
        answered(error)


def an_engine(
    database: Database,
    mailer: Mailer,
    later: Later,
    *,
    reminders: ReminderStore | None = None,
    settle_patience_s: float = 5.0,
    stopped: Sequence[Effect] = (),
) -> EffectsEngine:
    """An engine on a database, with stores of its own."""
    parts = Parts(
        database,
        reminders or ReminderStore(database),
        DeliveryStore(database),
        RecipientStore(database),
        Sender("Todo <todo@example.com>"),
        LEASE,
        notice_id,
        stopped=lambda: stopped,
    )
    return EffectsEngine(parts, mailer, later, most_mails=MOST_MAILS, settle_patience_s=settle_patience_s)


class EffectsWorld:
    """An engine on a database. Jobs and alarms go nowhere, but are kept."""

    def __init__(self, database: Database, *, settle_patience_s: float = 5.0) -> None:
        self.database = database
        self.mailer = ObedientMailer()
        self.jobs: list[tuple[UUID, str]] = []
        self.alarms: list[AlarmToSet] = []
        self.finished: dict[UUID, Exception | None] = {}
        self.enqueue: Callable[[Sequence[Left]], None] = self._enqueue
        self.set_alarms: Callable[[Sequence[Alarms]], None] = self._set_alarms
        # Tests replace them.
        later = Later(lambda left: self.enqueue(left), lambda alarms: self.set_alarms(alarms))  # noqa: PLW0108
        #: The effects that an operator has stopped.
        self.stopped: list[Effect] = []
        self.engine = an_engine(
            database, self.mailer, later, settle_patience_s=settle_patience_s, stopped=self.stopped
        )
        self.parts = self.engine._parts
        self._lock = threading.Lock()
        self._plugs: set[str] = set()

    def submit(self, *events: AnyEvent) -> None:
        for event in events:
            data = event.model_dump(mode="json")
            done = self._finish(event.event_id)
            self.engine.submit(EventInHand(read_any_event(data), data, done))

    def submit_together(self, *events: AnyEvent) -> None:
        """Submit the events while the engine is busy with another one, so that they are one batch."""
        plug = OtherEvent(type="something.else")
        self._plugs.add(str(plug.event_id))
        self.mailer.asked.clear()
        self.mailer.may_go_on.clear()
        self.submit(plug)
        assert self.mailer.asked.wait(30)
        self.submit(*events)
        self.mailer.may_go_on.set()

    def handle(self, *events: AnyEvent) -> None:
        """Submit the events, and wait until they are finished."""
        self.submit(*events)
        self.wait(*events)

    def wait(self, *events: AnyEvent) -> None:
        """Wait until the events are finished."""
        wait_for(lambda: all(event.event_id in self.finished for event in events))

    def recorded(self) -> list[str]:
        """The ids of the events in the audit trail, in its order."""
        ids = select(audit_trail.c.event_id).order_by(audit_trail.c.sequence)
        with self.database.reading() as connection:
            return [id_ for id_ in connection.execute(ids).scalars() if id_ not in self._plugs]

    def state(self, event: AnyEvent) -> str | None:
        """The state of the delivery of an event's notice."""
        row = self.parts.deliveries.find(notice_id(event.event_id))
        return row.state if row else None

    def close(self) -> None:
        self.mailer.holds = False
        self.mailer.answer_all()
        self.engine.close()

    def _set_alarms(self, work: Sequence[Alarms]) -> None:
        self.alarms += [alarm for one in work for alarm in one.alarms]

    def _enqueue(self, left: Sequence[Left]) -> None:
        made = [(one.event.event.event_id, one.effect.value) for one in left]
        self.jobs += [job for job in made if str(job[0]) not in self._plugs]

    def _finish(self, event_id: UUID) -> Callable[[Exception | None], None]:
        def finish(error: Exception | None) -> None:
            with self._lock:
                assert event_id not in self.finished, "it is finished once"
                self.finished[event_id] = error

        return finish


def notice_id(event_id: UUID) -> UUID:
    """The id of an event's notice."""
    return uuid5(event_id, "send_notification")
