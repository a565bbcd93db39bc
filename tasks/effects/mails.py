"""The mails that are claimed and handed to the mailer, until the mail server's answer is recorded.

The record of an acceptance must not wait: until it is there, the death of this process makes another one
send the mail again. So a connection that took a mail sends no other before that (``hold``), and a worker that
is killed leaves at most one mail a connection that is sent twice.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from ..notifications.delivery_store import DeliveryStore, Released, Settled, require_time
from ..smtp.mail import Mail
from ..smtp.mailer import Mailer
from ..storage.database import Database
from ..storage.engine import DatabaseError, DatabaseUnavailable
from .event_in_hand import EventInHand

logger = logging.getLogger(__name__)

#: A mail server that has not answered a mail for so long is slow: events do not wait for it.
SLOW_S = 1.0
#: The pause between two tries to record answers that the database does not take.
_INTERVAL_S = 0.25


@dataclass(frozen=True, eq=False)
class ClaimedMail:
    """The mail of an event; its notice is claimed with ``token``."""

    event: EventInHand
    notice_id: str
    token: str
    claimed_at: datetime
    mail: Mail


class Answer(NamedTuple):
    """The mail server's answer: ``error`` is None if it took the mail. Not ``is_sent``, it was not asked."""

    claimed: ClaimedMail
    error: Exception | None
    is_sent: bool = True


class _Noted(NamedTuple):
    """An answer to be recorded, and until when that is tried."""

    answer: Answer
    give_up_at: float


class MailsInHand:
    """The mails in hand. For one thread; ``answered`` is called on the mailer's too, and must not block."""

    def __init__(
        self,
        mailer: Mailer,
        deliveries: DeliveryStore,
        database: Database,
        *,
        answered: Callable[[Answer], None],
        lease: timedelta,
        patience_s: float,
        clock: Callable[[], datetime],
    ) -> None:
        """``patience_s`` is how long an answer is kept that the database does not take."""
        self._mailer = mailer
        self._deliveries = deliveries
        self._database = database
        self._answered = answered
        self._lease = lease
        self._patience_s = patience_s
        self._clock = clock
        #: When each was handed over, the oldest first.
        self._handed_over: dict[ClaimedMail, float] = {}
        self._answers: list[_Noted] = []
        #: 0 unless there are answers that the database did not take.
        self._next_try_at = 0.0

    @property
    def count(self) -> int:
        """How many are in hand: the server has not answered, or its answer is not recorded."""
        return len(self._handed_over)

    @property
    def are_slow(self) -> bool:
        """Whether the oldest of them has waited for long."""
        oldest = next(iter(self._handed_over.values()), None)
        return oldest is not None and time.monotonic() - oldest > SLOW_S

    def hand_over(self, claimed: ClaimedMail) -> None:
        """Let the mailer send a mail; ``answered`` is called with what became of it.

        If the claim could end meanwhile, or the mailer fails, the mail is not sent: ``answered`` is called at
        once, with the error. Never raises.
        """
        self._handed_over[claimed] = time.monotonic()
        claimed_at, now = claimed.claimed_at, self._clock()
        try:
            require_time(claimed.notice_id, claimed_at=claimed_at, now=now, lease=self._lease)
            self._mailer.submit(claimed.mail, partial(self._answer, claimed), hold=True)
        except Exception as exc:  # noqa: BLE001 - the job of the mail will meet it again
            self._answered(Answer(claimed, exc, is_sent=False))

    def _answer(self, claimed: ClaimedMail, error: Exception | None) -> None:
        self._answered(Answer(claimed, error))

    def note(self, answer: Answer) -> None:
        """Note an answer, to be recorded at once."""
        self._answers.append(_Noted(answer, time.monotonic() + self._patience_s))

    @property
    def must_record(self) -> bool:
        """Whether there are answers to be recorded now."""
        return bool(self._answers) and time.monotonic() >= self._next_try_at

    def record(self) -> Sequence[Answer]:
        """Record the answers, and return those that are in hand no longer.

        An acceptance is kept while the database does not take it, whatever its reason: else the mail would go
        out again. A refusal is kept while the database is away. After ``patience_s`` an answer comes back
        with the error: nobody knows of its mail then.
        """
        noted, self._answers = self._answers, []
        taken = [one for one in noted if one.answer.error is None]
        refused = [one for one in noted if one.answer.error is not None]
        # Apart: a refusal that cannot be written must not cost an acceptance its record.
        done = self._try(self._settle, taken, may_pass=DatabaseError)
        done += self._try(self._release, refused, may_pass=DatabaseUnavailable)
        self._next_try_at = time.monotonic() + _INTERVAL_S if self._answers else 0.0
        return done

    def _try(
        self, write: Callable[[Sequence[Answer]], None], noted: Sequence[_Noted], *, may_pass: type[Exception]
    ) -> list[Answer]:
        """Write answers in a transaction of their own; keep them if it fails with ``may_pass``."""
        answers = [one.answer for one in noted]
        if not answers:
            return []
        try:
            write(answers)
        except Exception as exc:  # noqa: BLE001 - the job of each mail will meet it again
            now = time.monotonic()
            kept = [one for one in noted if now < one.give_up_at] if isinstance(exc, may_pass) else []
            if kept and not self._next_try_at:
                logger.warning("notice.not_settled notices=%d, trying again: %s", len(kept), exc)
            self._answers += kept
            given_up = [one.answer for one in noted if one not in kept]
            answers = [one._replace(error=one.error or exc) for one in given_up]
        for one in answers:
            del self._handed_over[one.claimed]
        self._mailer.settled(*(one.claimed.mail for one in answers if one.is_sent))
        return answers

    def _settle(self, taken: Sequence[Answer]) -> None:
        now = self._clock()
        sent = [Settled(one.notice_id, one.token, now) for one, _, _ in taken]
        with self._database.writing() as connection:
            lost = self._deliveries.settle_all(connection, sent)
        for notice_id in lost:
            logger.warning("notice.claim_lost notice_id=%s: its mail may go out again", notice_id)

    def _release(self, refused: Sequence[Answer]) -> None:
        now = self._clock()
        failed = [Released(one.notice_id, one.token, now, str(error)) for one, error, _ in refused]
        with self._database.writing() as connection:
            self._deliveries.release_all(connection, failed)
