"""Delivers a notice: one mail goes out, however often the job runs and whatever happens to its worker.

    notice ──▶ opted out? ──▶ quiet hours? ──▶ render ──▶ claim ──▶ send ──▶ settle
                   │               │                        │        │
               opted-out       postponed               done before   └─ not taken: release, then raise

The steps are in this order because each may be the last one that a worker does:

- The mail is rendered before the claim: a notice that cannot be rendered holds nothing up.
- The claim is committed before the mail is sent. While it lasts, no other worker sends the notice; if this
  worker dies, the claim ends after the lease and another worker takes the notice over.
- A mail takes at most half of the lease (the mailer's limit), and none is sent when the claim itself took
  that long to commit: a worker that is only slow never sends at the same time as the one that takes over.
- The server's answer decides. A refusal releases the claim, so that a retry need not wait for the
  lease. An acceptance is recorded (settle) before anything else, for two minutes against a database that
  fails: until then, a repetition would send the mail again, so the connection that took it sends no other.

Between the server's answer and the settled row lies the one moment in which a crash costs a second mail; its
Message-ID is the same, and many mailboxes show it once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from ..schedules.early import again_at
from ..smtp.mail import Mail
from ..smtp.mailer import Mailer
from ..storage.engine import DatabaseError, DatabaseUnavailable
from .delivery_store import FINAL, DeliveryState, DeliveryStore, require_time
from .mail_message import Sender, compose
from .notice import Notice
from .recipients import RecipientStore
from .rendering import render

logger = logging.getLogger(__name__)

#: How long a worker tries to record that a mail is sent while the database fails, and the pause between two
#: tries. The claim may end meanwhile; nobody can take it over, as that needs the database too.
SETTLE_PATIENCE_S = 120.0
_SETTLE_INTERVAL_S = 0.25


class DeliveryOutcome(StrEnum):
    """The result of one call of `Notifier.deliver`."""

    SENT = "sent"
    DONE_BEFORE = "done-before"
    POSTPONED = "postponed"
    OPTED_OUT = "opted-out"


@dataclass(frozen=True)
class Notifier:
    """Delivers notices.

    ``lease`` is how long a claim lasts before another worker may take it over; the mailer's limit must be
    well below it. ``postpone`` is given a notice, when its recipient's quiet hours end, and when a job has to
    call `deliver` again: then, or later if such a job has come too early.
    """

    deliveries: DeliveryStore
    recipients: RecipientStore
    mailer: Mailer
    sender: Sender
    postpone: Callable[[Notice, datetime, datetime], None]
    lease: timedelta
    settle_patience_s: float = SETTLE_PATIENCE_S
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def deliver(self, notice: Notice) -> DeliveryOutcome:
        """Mail the notice to its recipient, unless that is done, or is not wanted, or must wait.

        However often and wherever it is called for a notice, one mail goes out. A second one can go out only
        if nobody knows of the first: the worker or its host died, or the database failed for minutes,
        between the mail server's answer and the record of it; or the server's answer got lost.

        Raises:
            RenderError: the templates cannot show the notice; nothing was sent.
            MailRefused: the server will never take the mail.
            MailNotSent, DatabaseError, DeliveryBusy: call it again later.
        """
        outcome = self._deliver(notice)
        logger.info("notice.%s notice_id=%s kind=%s", outcome, notice.id, notice.kind)
        return outcome

    def _deliver(self, notice: Notice) -> DeliveryOutcome:
        now = self.clock()
        wanted = self.recipients.preferences(notice.recipient.email)
        if wanted.refuses(notice.kind):
            self.deliveries.opt_out(notice, now=now)
            return DeliveryOutcome.OPTED_OUT
        if not notice.urgent:
            until = wanted.quiet_until(now, ZoneInfo(notice.recipient.time_zone))
            if until is not None:
                return self._postpone(notice, until, now)
        return self._send(notice, now)

    def _postpone(self, notice: Notice, until: datetime, now: datetime) -> DeliveryOutcome:
        row = self.deliveries.find(notice.id)
        if row is not None and row.state in FINAL:
            return _decided(row.state)
        if row is not None and row.state == DeliveryState.POSTPONED and row.until == until:
            # This may be the job that was to send it, come early by another clock. One job too many is
            # harmless, as one of them gets the claim.
            self.postpone(notice, until, again_at(until, now))
        else:
            self.postpone(notice, until, until)
            # After the job: a crash in between makes the same job run again, which enqueues it again.
            self.deliveries.postpone(notice, until, now=now)
        return DeliveryOutcome.POSTPONED

    def _send(self, notice: Notice, now: datetime) -> DeliveryOutcome:
        # Before the claim: what cannot be rendered holds nothing up.
        content = compose(
            render(notice), sender=self.sender, recipient=notice.recipient, notice_id=notice.id, date=now
        )
        claimed_at = self.clock()
        token = self.deliveries.claim(notice, now=claimed_at, lease=self.lease)
        if token is None:
            row = self.deliveries.find(notice.id)
            return _decided(row.state if row is not None else DeliveryState.SENT)
        self._require_time(notice, token, claimed_at)
        mail = Mail(self.sender.address, notice.recipient.email, content)
        try:
            self._hand_over(notice, mail, token)
            self._settle(notice, token)
        finally:
            self.mailer.settled(mail)
        return DeliveryOutcome.SENT

    def _require_time(self, notice: Notice, token: str, claimed_at: datetime) -> None:
        """Let a claim go that `require_time` refuses."""
        now = self.clock()
        try:
            require_time(notice.id, claimed_at=claimed_at, now=now, lease=self.lease)
        except DatabaseUnavailable as exc:
            self.deliveries.release(notice, token, error=str(exc), now=now)
            raise

    def _hand_over(self, notice: Notice, mail: Mail, token: str) -> None:
        try:
            self.mailer.send(mail, hold=True)
        except Exception as exc:
            try:
                self.deliveries.release(notice, token, error=str(exc), now=self.clock())
            except Exception:
                # The claim ends by itself; whatever fails here, the error to raise is the one about the mail.
                logger.warning("notice.not_released notice_id=%s", notice.id, exc_info=True)
            raise

    def _settle(self, notice: Notice, token: str) -> None:
        """Record that the mail is sent; nothing may come between the server's answer and this."""
        deadline = time.monotonic() + self.settle_patience_s
        waits = False
        while True:
            try:
                own = self.deliveries.settle(notice, token, now=self.clock())
                break
            except DatabaseError as exc:  # whatever its reason: else the mail would go out again
                if time.monotonic() > deadline:
                    raise
                if not waits:
                    waits = True
                    logger.warning("notice.not_settled notice_id=%s, trying again: %s", notice.id, exc)
            time.sleep(_SETTLE_INTERVAL_S)
        if not own:
            logger.warning("notice.claim_lost notice_id=%s: its mail may go out again", notice.id)


def _decided(state: str) -> DeliveryOutcome:
    """The outcome for a notice whose state was final before."""
    is_refused = state == DeliveryState.OPTED_OUT
    return DeliveryOutcome.OPTED_OUT if is_refused else DeliveryOutcome.DONE_BEFORE
