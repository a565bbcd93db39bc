"""An event whose effects are being brought about."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from workers.traces.active import here, within

from ..events.models import AnyEvent, ReadEvent, TodoEvent

logger = logging.getLogger(__name__)


class Effect(StrEnum):
    """An effect of an event, by the name of the actor whose job brings it about where it is left."""

    RECORD = "record_audit"
    REMIND = "sync_reminder"
    MAIL = "send_notification"


def effects_of(event: AnyEvent) -> tuple[Effect, ...]:
    """The effects of an event; one of an unknown type is only recorded."""
    return tuple(Effect) if isinstance(event, TodoEvent) else (Effect.RECORD,)


class EventInHand:
    """An event and its effects; ``finish`` is called once, when each is done, has a job or has failed."""

    def __init__(
        self,
        read: ReadEvent[Any],
        data: dict[str, Any],
        finish: Callable[[Exception | None], None],
        tell: Callable[[AnyEvent, Effect, str], None] = lambda *_: None,
    ) -> None:
        """``data`` is the event as it came, before it was parsed: the jobs get it.

        ``tell`` is called with each effect and its outcome before ``finish`` is; it must not block. If it
        raises, that is logged: what is done stays done.
        """
        self.read = read
        #: The context of the job, for its traces: the effects are brought about on other threads.
        self.context = here()
        self.event: AnyEvent = read.event
        self.data = data
        #: The effects that nobody has decided about. For the engine's thread.
        self.open = set(effects_of(read.event))
        self._count = len(self.open)
        self._finish = finish
        self._tell = tell
        self._outcomes: dict[Effect, str] = {}
        self._error: Exception | None = None
        self._lock = threading.Lock()

    def done(self, effect: Effect, outcome: str) -> None:
        """Note, from any thread, that an effect is done or has a job; ``outcome`` is a word for the log."""
        self.open.discard(effect)
        try:
            self._tell(self.event, effect, outcome)
        except Exception:
            logger.exception("event.not_told event_id=%s actor=%s", self.event.event_id, effect.value)
        with self._lock:
            self._outcomes[effect] = outcome
            if len(self._outcomes) < self._count:
                return
        outcomes = " ".join(
            f"{effect}={self._outcomes[effect]}" for effect in Effect if effect in self._outcomes
        )
        ids = (self.event.event_id, self.event.type, self.event.todo_id)
        with within(self.context):
            logger.info("event.handled event_id=%s type=%s todo_id=%s %s", *ids, outcomes)
        self._finish(self._error)

    def failed(self, effect: Effect, error: Exception) -> None:
        """Note that an effect can neither be brought about nor become a job: the event's own job fails."""
        self._error = error
        self.done(effect, "failed")


def todo_event(one: EventInHand) -> TodoEvent:
    """The event, which is one about a todo."""
    assert isinstance(one.event, TodoEvent)
    return one.event
