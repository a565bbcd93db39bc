"""The stages of a batch of events: read what they need, compose their mails, commit all of it at once.

What is wrong with one event concerns no other. Before the transaction, an effect that fails is left to a
job. Where the transaction fails, each effect is tried in one of its own, and left to a job if that fails.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Row

from workers.traces.active import note
from workers.traces.names import AUDIT_APPEND, AUDIT_OUTCOME

from ..audit.entries import entry_of
from ..audit.trail import Recording, append, note_rows
from ..events.fields import Part
from ..notifications.delivery_store import FINAL, DeliveryState, DeliveryStore, claim_of
from ..notifications.mail_message import Sender, compose
from ..notifications.notice import Notice, notice_of
from ..notifications.recipients import RecipientStore
from ..notifications.rendering import render
from ..reminders.known_todo import may_set_reminders
from ..reminders.outcomes import AlarmToSet
from ..reminders.store import ReminderStore
from ..smtp.mail import Mail
from ..storage.database import Database
from ..storage.engine import DatabaseError, DatabaseUnavailable
from .event_in_hand import Effect, EventInHand, todo_event
from .later import Alarms, Left, left_over
from .mails import ClaimedMail

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parts:
    """The parts of the chatbot that batches work with.

    ``notice_id`` makes a notice's id of its event's. ``stopped`` names the effects whose jobs an operator has
    stopped, by a pause of their queue or by a switch.
    """

    database: Database
    reminders: ReminderStore
    deliveries: DeliveryStore
    recipients: RecipientStore
    sender: Sender
    lease: timedelta
    notice_id: Callable[[UUID], UUID]
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    stopped: Callable[[], Sequence[Effect]] = lambda: ()


@dataclass(frozen=True)
class Wanted:
    """A notice that an event makes and its recipient wants now."""

    event: EventInHand
    notice: Notice


@dataclass(frozen=True)
class _Composed:
    """A mail that is ready to be claimed and sent."""

    event: EventInHand
    notice: Notice
    content: bytes


@dataclass(frozen=True)
class _Written:
    """What a transaction that is committed has made of each effect."""

    at: datetime
    #: When it began, by `time.time_ns`.
    began_ns: int
    recorded: Sequence[tuple[EventInHand, Recording]]
    alarms: Sequence[tuple[EventInHand, Sequence[AlarmToSet]]]
    #: With the token of each claim, and the row that was in its way.
    claims: Sequence[tuple[_Composed, str, Row[Any] | None]]


class Batch:
    """Some events on their way through the stages, which are called one after the other on one thread.

    Afterwards ``mails`` are to be handed over, and ``later`` is the work for `later.Later`.
    """

    def __init__(self, parts: Parts, events: Sequence[EventInHand]) -> None:
        """Take events of different ids."""
        self._parts = parts
        self._events = events
        self._to_record: list[EventInHand] = []
        self._to_remind: list[EventInHand] = []
        self._composed: list[_Composed] = []
        self.mails: list[ClaimedMail] = []
        self.later: list[Left | Alarms] = []

    def read(self, *, with_mails: bool) -> Sequence[Wanted]:
        """Ask what the recipients want; returns the notices to compose, those of a kind together.

        Not ``with_mails``, each mail is left to a job.
        """
        for effect in self._parts.stopped():  # their jobs wait, or are taken out
            for one in self._events:
                if effect in one.open:
                    self.leave(one, effect)
        self._to_record = [one for one in self._events if Effect.RECORD in one.open]
        # First of all, so that the jobs of an event are in this order.
        self._to_remind = [
            one for one in self._events if Effect.REMIND in one.open and self._may_be_reminded(one)
        ]
        made = [wanted for one in self._events if Effect.MAIL in one.open for wanted in self._notice(one)]
        if not with_mails:
            for wanted in made:
                self.leave(wanted.event, Effect.MAIL)
            return []
        try:
            known = self._parts.recipients.with_preferences(one.notice.recipient.email for one in made)
        except DatabaseError as exc:
            for wanted in made:
                self.leave(wanted.event, Effect.MAIL, exc)
            return []
        now = self._parts.clock()
        return sorted(
            (one for one in made if self._may_go_out(one, known, now)), key=lambda one: one.notice.kind
        )

    def compose(self, wanted: Wanted) -> None:
        """Render and compose the mail of a notice; it is left to a job if that fails."""
        notice = wanted.notice
        try:
            content = compose(
                render(notice),
                sender=self._parts.sender,
                recipient=notice.recipient,
                notice_id=notice.id,
                date=self._parts.clock(),
            )
        except Exception as exc:  # noqa: BLE001 - its job will meet it again, and say what it is
            self.leave(wanted.event, Effect.MAIL, exc)
        else:
            self._composed.append(_Composed(wanted.event, notice, content))

    def commit(self) -> None:
        """Write the audit rows, the reminders and the claims in one transaction."""
        try:
            written = self._write(self._to_record, self._to_remind, self._composed)
        except DatabaseUnavailable as exc:
            self.leave_all(exc)
        except Exception as exc:  # noqa: BLE001 - whose fault it is is found out one by one
            logger.warning("event.alone events=%d: %s", len(self._events), exc)
            for one in self._to_record:
                self._try(one, Effect.RECORD, [one], [], [])
            for one in self._to_remind:
                self._try(one, Effect.REMIND, [], [one], [])
            for mail in self._composed:
                self._try(mail.event, Effect.MAIL, [], [], [mail])
        else:
            self._note(written)

    def leave(self, one: EventInHand, effect: Effect, error: Exception | None = None) -> None:
        """Leave an effect to a job."""
        self.later.append(left_over(one, effect, error))

    def leave_all(self, error: Exception) -> None:
        """Leave all effects that nothing is known of."""
        for one in self._events:
            for effect in sorted(one.open):
                self.leave(one, effect, error)

    def _notice(self, one: EventInHand) -> Iterable[Wanted]:
        try:
            one.read.require(Part.OWNER)
            yield Wanted(one, notice_of(todo_event(one), id=self._parts.notice_id(one.event.event_id)))
        except Exception as exc:  # noqa: BLE001 - its job will meet it again, and say what it is
            self.leave(one, Effect.MAIL, exc)

    def _may_go_out(self, wanted: Wanted, known: dict[str, Any], now: datetime) -> bool:
        """Whether nothing speaks against sending a notice now; else its job looks into it."""
        notice = wanted.notice
        preferences = known.get(notice.recipient.email.lower())
        if preferences is None:
            return True
        zone = ZoneInfo(notice.recipient.time_zone)
        waits = not notice.urgent and preferences.quiet_until(now, zone) is not None
        if waits or preferences.refuses(notice.kind):
            self.leave(wanted.event, Effect.MAIL)
            return False
        return True

    def _may_be_reminded(self, one: EventInHand) -> bool:
        try:
            if may_set_reminders(todo_event(one)):
                one.read.require(Part.OWNER, Part.SCHEDULE)
        except Exception as exc:  # noqa: BLE001 - its job will meet it again, and say what it is
            self.leave(one, Effect.REMIND, exc)
            return False
        return True

    def _try(self, one: EventInHand, effect: Effect, *parts: Any) -> None:
        try:
            written = self._write(*parts)
        except Exception as exc:  # noqa: BLE001 - its job will meet it again, and say what it is
            self.leave(one, effect, exc)
        else:
            self._note(written)

    def _write(
        self,
        to_record: Sequence[EventInHand],
        to_remind: Sequence[EventInHand],
        composed: Sequence[_Composed],
    ) -> _Written:
        now, began_ns = self._parts.clock(), time.time_ns()
        entries = [(entry_of(one.event), now) for one in to_record]
        claims = [claim_of(mail.notice, now=now, lease=self._parts.lease) for mail in composed]
        # In this order: what is locked last is the end of the audit trail, which every process wants.
        with self._parts.database.writing() as connection:
            alarms = self._parts.reminders.sync_all(connection, [todo_event(one) for one in to_remind], now)
            found = self._parts.deliveries.claim_all(connection, claims)
            recorded = append(connection, entries)
        tokens = [claim["claim"] for claim in claims]
        return _Written(
            now,
            began_ns,
            list(zip(to_record, recorded, strict=True)),
            list(zip(to_remind, alarms, strict=True)),
            list(zip(composed, tokens, found, strict=True)),
        )

    def _note(self, written: _Written) -> None:
        note_rows(recording for _, recording in written.recorded)
        for one, recording in written.recorded:
            self._note_recorded(one, recording, written.began_ns)
        for one, alarms in written.alarms:
            self._note_in_step(one, alarms)
        for mail, token, row in written.claims:
            self._note_claimed(mail, token, written.at, row)

    def _note_recorded(self, one: EventInHand, recording: Recording, began_ns: int) -> None:
        note(AUDIT_APPEND, one.context, began_ns, {AUDIT_OUTCOME: recording.value})
        if recording is Recording.DIFFERS:
            ids = (one.event.event_id, one.event.type, one.event.todo_id)
            logger.warning("audit.differs event_id=%s type=%s todo_id=%s", *ids)
        one.done(Effect.RECORD, recording)

    def _note_in_step(self, one: EventInHand, alarms: Sequence[AlarmToSet]) -> None:
        one.open.discard(Effect.REMIND)
        if alarms:
            self.later.append(Alarms(one, alarms))
        else:
            one.done(Effect.REMIND, "in-step")

    def _note_claimed(self, mail: _Composed, token: str, now: datetime, row: Row[Any] | None) -> None:
        if row is None:
            mail.event.open.discard(Effect.MAIL)
            address = mail.notice.recipient.email
            ready = Mail(self._parts.sender.address, address, mail.content)
            self.mails.append(ClaimedMail(mail.event, str(mail.notice.id), token, now, ready))
        elif row.state in FINAL:
            is_refused = row.state == DeliveryState.OPTED_OUT
            mail.event.done(Effect.MAIL, "opted-out" if is_refused else "done-before")
        else:
            self.leave(mail.event, Effect.MAIL)  # another worker has the claim
