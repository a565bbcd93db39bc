"""The actor that handles an event, with all of its effects. It may run more than once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any
from uuid import UUID

import dramatiq
from dramatiq.middleware import CurrentMessage

from workers.partitions.taken_message import TakenMessage
from workers.records.sources import Incoming
from workers.traces.active import within

from ..app import broker, effects_engine, event_log, once, settings
from ..effects.event_in_hand import Effect, EventInHand
from ..events import dapr
from ..events.cloud_events import event_of
from ..events.models import AnyEvent, TodoEvent, read_any_event
from ..events.trace_context import context_in
from . import updates
from .arguments import EventData
from .audit import record_audit
from .event_jobs import EventActor, job_id, jobs_for
from .notifications import send_notification
from .reminders import keeper, sync_reminder

if TYPE_CHECKING:
    from ..effects.engine import EffectsEngine
    from ..effects.later import Alarms, Left

logger = logging.getLogger(__name__)

#: Whose job brings about an effect that is left.
EFFECT_ACTORS: dict[Effect, EventActor] = {
    Effect.RECORD: record_audit,
    Effect.REMIND: sync_reminder,
    Effect.MAIL: send_notification,
}

#: The outcomes after which an event is in the audit trail, and its reminders are in step.
_RECORDED = frozenset({"recorded", "repeated", "differs"})
_IN_STEP = frozenset({"in-step", "set"})

#: How long the event log keeps an event, handled or not.
EVENT_LOG_RETENTION_MS = 30 * 24 * 3_600_000

#: How many events a process has in hand at most: those that wait, a batch, and those whose mails are on the
#: way.
IN_HAND = 128


@dramatiq.actor(broker=broker, queue_name="events")
def handle_event(event: EventData) -> None:
    """Bring about every effect of the event, at once if possible; otherwise a job of its own does so.

    The event is parsed here; the rest happens on the thread of the effects (`tasks.effects`), for many events
    at a time, while this job is held and its thread does others. Nothing waits for a mail server that is slow
    or away, and an effect that fails is tried again alone, in its own queue, where its dead letter says why.
    Handled again, the event has the same effects once.

    Raises:
        InvalidEvent: it cannot even be recorded.
    """
    read = read_any_event(event)
    message: object = CurrentMessage.get_current_message()
    if isinstance(message, TakenMessage) and message.actor_name == handle_event.actor_name:
        _hand_over(EventInHand(read, event, message.release, _tell), message)
        return
    # Called by hand, or by the actor of another job: there is no job to be held.
    finished: SimpleQueue[Exception | None] = SimpleQueue()
    effects().submit(EventInHand(read, event, finished.put, _tell))
    if error := finished.get():
        raise error


def _hand_over(event: EventInHand, message: TakenMessage) -> None:
    engine = effects()
    message.hold()
    try:
        engine.submit(event)
    except BaseException:
        message.release()
        raise


@once
def effects() -> EffectsEngine:
    """Return this process's engine of the effects."""
    return effects_engine(enqueue=_enqueue, set_alarms=_set_alarms, notice_id=_notice_id, stopped=_stopped)


def _enqueue(left: Sequence[Left]) -> None:
    with broker.batch():
        for one in left:
            with within(one.event.context):
                for job in jobs_for(one.event.event, one.event.data, [EFFECT_ACTORS[one.effect]]):
                    broker.enqueue(job)


def _set_alarms(work: Sequence[Alarms]) -> None:
    contexts = {alarm: one.event.context for one in work for alarm in one.alarms}
    now_set = set(keeper(contexts).set_alarms(list(contexts), datetime.now(UTC)))
    for one in work:
        assert isinstance(one.event.event, TodoEvent)
        updates.reminders_set(one.event.event, now_set.intersection(one.alarms))


def _tell(event: AnyEvent, effect: Effect, outcome: str) -> None:
    """Announce what became of an effect, unless it was left to a job, which does so then."""
    if effect is Effect.RECORD and outcome in _RECORDED:
        updates.event_recorded(event)
    elif effect is Effect.MAIL:
        assert isinstance(event, TodoEvent)
        updates.event_mailed(event, _notice_id(event.event_id), outcome)
    elif effect is Effect.REMIND and outcome in _IN_STEP:
        assert isinstance(event, TodoEvent)
        updates.reminders_called_off(event)


def _stopped() -> list[Effect]:
    """The effects that are left to jobs, as those wait for an operator, or may be taken out by a switch."""
    stops = broker.controls.gate.stops
    return [one for one, actor in EFFECT_ACTORS.items() if stops(actor.queue_name, actor.actor_name)]


def _notice_id(event_id: UUID) -> UUID:
    return job_id(event_id, send_notification)


class FinishesEffects(dramatiq.Middleware):
    """Lets the effects that are under way end before their jobs' consumer leaves."""

    def before_consumer_thread_shutdown(self, broker: dramatiq.Broker, thread: Any) -> None:  # noqa: ARG002
        if thread.queue_name == handle_event.queue_name:
            effects().close()


def context_of(message: dramatiq.MessageProxy) -> dict[str, str]:
    """The context that an event of the log has as attributes of its CloudEvent, as headers."""
    return context_in(message.args[0].get("cloudevent") or {})


def job_of(record: Incoming) -> dramatiq.Message[None]:
    """The job of a record of the event log, whoever wrote it. Raises Undecodable."""
    event = event_of(record, max_ahead=settings.event.max_ahead)
    if event["type"] == dapr.DEFAULT_TYPE:
        logger.warning(
            "event.untyped id=%s source=%s: %s", event["event_id"], event["cloudevent"]["source"], dapr.ADVICE
        )
    subject = event["cloudevent"].get("subject") or event.get("subject")
    key = subject or (record.key or b"").decode(errors="replace") or event["event_id"]
    message = handle_event.message_with_options(args=(event,), key=str(key))
    return message.copy(message_id=event["event_id"], message_timestamp=record.timestamp_ms)


broker.add_middleware(CurrentMessage())
broker.add_middleware(FinishesEffects())
broker.set_prefetch(handle_event.queue_name, IN_HAND)
broker.add_source(
    handle_event.queue_name,
    event_log,
    job_of,
    retention_ms=EVENT_LOG_RETENTION_MS,
    find_context=context_of,
)
