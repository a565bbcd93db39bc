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

from ..notifications.delivery_store import DeliveryStore, Released, Settled
from ..smtp.mail import Mail
from ..smtp.mailer import Mailer
from ..storage.database import Database
from ..storage.engine import DatabaseUnavailable
from .event_in_hand import EventInHand

logger = logging.getLogger(__name__)

#: A mail server that has not answered a mail for so long is slow: events do not wait for it.
SLOW_S = 1.0
#: The pause between two tries to record answers while the database is away.
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
        """``patience_s`` is how long an answer is kept for a database that is away."""
        self._mailer = mailer
        self._deliveries = deliveries
        self._database = database
        self._answered = answered
        self._lease = lease
        self._patience_s = patience_s
        self._clock = clock
        #: When each was handed over, the oldest first.
        self._handed_over: dict[ClaimedMail, float] = {}
        self._answers: list[Answer] = []
        self._next_try_at = self._give_up_at = 0.0

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
        """Let the mailer send a mail; ``answered`` is called, at once if the claim could end meanwhile."""
        self._handed_over[claimed] = time.monotonic()
        took = self._clock() - claimed.claimed_at
        if took > self._lease / 2:
            text = f"The database took {took} to let notice {claimed.notice_id} be sent"
            self._answered(Answer(claimed, DatabaseUnavailable(text), is_sent=False))
        else:
            self._mailer.submit(claimed.mail, partial(self._answer, claimed), hold=True)

    def _answer(self, claimed: ClaimedMail, error: Exception | None) -> None:
        self._answered(Answer(claimed, error))

    def note(self, answer: Answer) -> None:
        """Note an answer, to be recorded at once."""
        self._answers.append(answer)

    @property
    def must_record(self) -> bool:
        """Whether there are answers to be recorded now."""
        return bool(self._answers) and time.monotonic() >= self._next_try_at

    def record(self) -> Sequence[Answer]:
        """Record the answers in a transaction of their own, and return them.

        While the database is away they are kept, and none is returned. After ``patience_s`` they come back
        with an error: nobody knows of their mails then.
        """
        answers = self._answers
        try:
            self._write(answers)
        except DatabaseUnavailable as exc:
            now = time.monotonic()
            if not self._give_up_at:
                self._give_up_at = now + self._patience_s
                logger.warning("notice.not_settled notices=%d, trying again: %s", len(answers), exc)
            if now < self._give_up_at:
                self._next_try_at = now + _INTERVAL_S
                return []
            answers = [one._replace(error=one.error or exc) for one in answers]
        except Exception as exc:  # noqa: BLE001 - the job of each mail will meet it again
            answers = [one._replace(error=one.error or exc) for one in answers]
        self._answers, self._give_up_at, self._next_try_at = [], 0.0, 0.0
        for one in answers:
            del self._handed_over[one.claimed]
        self._mailer.settled(*(one.claimed.mail for one in answers if one.is_sent))
        return answers

    def _write(self, answers: Sequence[Answer]) -> None:
        now = self._clock()
        sent = [Settled(one.notice_id, one.token, now) for one, error, _ in answers if error is None]
        refused = [Released(one.notice_id, one.token, now, str(error)) for one, error, _ in answers if error]
        with self._database.writing() as connection:
            lost = self._deliveries.settle_all(connection, sent)
            self._deliveries.release_all(connection, refused)
        for notice_id in lost:
            logger.warning("notice.claim_lost notice_id=%s: its mail may go out again", notice_id)
