"""The thread that brings about the effects of events, in batches."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from queue import Empty, SimpleQueue

from workers.traces.active import within

from ..smtp.mailer import Mailer
from .batch import Batch, Parts
from .event_in_hand import Effect, EventInHand
from .later import Later, left_over
from .mails import Answer, MailsInHand

logger = logging.getLogger(__name__)

#: Most events of a batch: more would let the first of them wait, and gain nothing.
MAX_BATCH = 32
#: How often the thread looks at mails that may be slow by now, and at a database that may be back.
_LOOK_S = 0.1


class EffectsEngine:
    """Brings about the effects of events on a thread of its own; any thread may submit events.

    The thread starts with the first event and ends with `close`. It waits neither for the mail server nor for
    Kafka. While ``most_mails`` are on their way it takes no more events, unless the mail server is slow: then
    mails become jobs. Make it after a fork.
    """

    def __init__(
        self, parts: Parts, mailer: Mailer, later: Later, *, most_mails: int, settle_patience_s: float
    ) -> None:
        self._parts = parts
        self._mailer = mailer
        self._later = later
        self._most_mails = most_mails
        self._inbox: SimpleQueue[EventInHand | Answer | None] = SimpleQueue()
        self._events: deque[EventInHand] = deque()
        self._mails = MailsInHand(
            mailer,
            parts.deliveries,
            parts.database,
            answered=self._inbox.put,
            lease=parts.lease,
            patience_s=settle_patience_s,
            clock=parts.clock,
        )
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_closing = False

    def submit(self, event: EventInHand) -> None:
        """Have the effects of an event brought about; does not wait for them, but for a `close` under way.

        Raises RuntimeError, and does not take the event, if the thread cannot start.
        """
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                thread = threading.Thread(target=self._run, name="effects", daemon=True)
                thread.start()
                self._thread = thread
            self._inbox.put(event)

    def close(self) -> None:
        """Block until everything is done, and end the thread; an event after that starts it again."""
        with self._lock:
            thread, self._thread = self._thread, None
            if thread is not None and thread.is_alive():
                self._inbox.put(None)
                thread.join()
        self._later.close()

    def _run(self) -> None:
        self._is_closing = False
        goes_on = True
        while goes_on:
            try:
                goes_on = self._turn()
            except Exception:
                logger.exception("effects.failed: going on, events=%d", len(self._events))
                # Nothing is waited for at the end: the jobs of what is left run again.
                goes_on = not self._is_closing
                time.sleep(_LOOK_S)

    def _turn(self) -> bool:
        """Settle what is answered, and do a batch; False if the thread is to end."""
        if not self._wait():
            return False
        self._settle()
        if self._may_take_events():
            events = self._next()
            batch = Batch(self._parts, events)
            try:
                self._do(batch)
            except Exception as exc:
                logger.exception("event.later events=%d: the batch failed", len(events))
                batch.leave_all(exc)
            self._later.put(*batch.later)
        return True

    def _do(self, batch: Batch) -> None:
        for wanted in batch.read(with_mails=self._mailer.is_ready and not self._mails.are_slow):
            batch.compose(wanted)
            self._take_in()
            self._settle()
        batch.commit()
        for claimed in batch.mails:
            with within(claimed.event.context):
                self._mails.hand_over(claimed)

    def _wait(self) -> bool:
        """Wait until there is something to do; False if everything is done and the thread is to end."""
        self._take_in()
        while not (self._mails.must_record or self._may_take_events()):
            if self._is_closing and not self._events and not self._mails.count:
                return False
            # While something may become due by itself, the wait is short.
            waits = self._events or self._mails.count
            try:
                self._note(self._inbox.get(timeout=_LOOK_S if waits else None))
            except Empty:
                continue
            self._take_in()
        return True

    def _may_take_events(self) -> bool:
        if not self._events:
            return False
        # Not one by one: what a batch costs is shared by its events.
        return self._room >= min(len(self._events), self._most_mails // 2) or self._mails.are_slow

    @property
    def _room(self) -> int:
        """How many more mails may be on their way."""
        return self._most_mails - self._mails.count

    def _take_in(self) -> None:
        while not self._inbox.empty():
            self._note(self._inbox.get_nowait())

    def _note(self, item: EventInHand | Answer | None) -> None:
        if item is None:
            self._is_closing = True
        elif isinstance(item, EventInHand):
            self._events.append(item)
        else:
            self._mails.note(item)

    def _next(self) -> list[EventInHand]:
        """The events of the next batch: each once, however often it was published."""
        batch: dict[object, EventInHand] = {}
        size = MAX_BATCH if self._mails.are_slow else min(MAX_BATCH, self._room)
        while self._events and len(batch) < size and self._events[0].event.event_id not in batch:
            event = self._events.popleft()
            batch[event.event.event_id] = event
        return list(batch.values())

    def _settle(self) -> None:
        if not self._mails.must_record:
            return
        for claimed, error, _ in self._mails.record():
            if error is None:
                claimed.event.done(Effect.MAIL, "sent")
            else:
                self._later.put(left_over(claimed.event, Effect.MAIL, error))
