"""Publishing and fan-out, up to the broker: nothing here reaches for Kafka."""

from __future__ import annotations

import asyncio
from typing import Any

import dramatiq
import pytest

import tasks
from tasks.actors.event_jobs import job, jobs_for
from tasks.actors.events import EFFECT_ACTORS, handle_event
from tasks.app import event_log
from tasks.events.cloud_events import record_of
from tasks.events.fields import MAX_TEXT_LENGTH
from tasks.events.models import InvalidEvent, TodoEvent
from tests.helpers.samples import a_todo, an_event
from workers.records.envelope import size_of

#: The longest value that Kafka accepts by default, less some room for the record's headers.
MAX_MESSAGE_BYTES = 1_000_000


def jobs_of(event: TodoEvent) -> list[dramatiq.Message[None]]:
    return jobs_for(event, event.model_dump(mode="json"), EFFECT_ACTORS.values())


def test_importing_tasks_sets_the_broker_and_declares_the_actors() -> None:
    assert dramatiq.get_broker() is tasks.broker
    assert tasks.broker.get_declared_actors() >= {"handle_event", "record_audit", "send_notification"}
    assert tasks.broker.get_declared_queues() >= {"events", "audit", "notifications"}


def test_each_effect_of_an_event_can_be_a_job() -> None:
    event = an_event()
    jobs = jobs_of(event)
    assert [(job.queue_name, job.actor_name) for job in jobs] == [
        ("audit", "record_audit"),
        ("reminders", "sync_reminder"),
        ("notifications", "send_notification"),
    ]
    assert all(job.options == {"key": "todo-1"} for job in jobs)
    assert all(job.args == (event.model_dump(mode="json"),) for job in jobs)


def test_the_same_event_makes_jobs_with_the_same_ids() -> None:
    event = an_event()
    first, second = ([job.message_id for job in jobs_of(event)] for _ in range(2))
    assert first == second
    assert len(set(first)) == 3
    assert first != [job.message_id for job in jobs_of(an_event())]


@pytest.mark.parametrize(
    "event",
    [
        {"type": "todo.created"},
        an_event().model_copy(update={"actor": ""}),
        an_event().model_copy(update={"actor": object()}),
        an_event().model_dump(mode="json") | {"time": "2026-06-05T17:00:00"},
        an_event().model_dump(mode="json") | {"type": "todo.create"},
    ],
)
def test_an_invalid_event_raises_at_the_caller(event: TodoEvent | dict[str, Any]) -> None:
    # Were anything sent, another error would say that Kafka cannot be reached.
    with pytest.raises(InvalidEvent):
        tasks.publish(event)
    with pytest.raises(InvalidEvent):
        asyncio.run(tasks.publish_async(event))


def test_the_largest_event_fits_into_a_kafka_record() -> None:
    longest = "\N{GRINNING FACE}" * MAX_TEXT_LENGTH
    change = {"before": longest, "after": longest}
    event = an_event(
        "todo.updated",
        todo=a_todo(title=longest, description=longest),
        changes={"title": change, "description": change},
    )
    message = job(handle_event, event.model_dump(mode="json"), key="todo-1", message_id=event.event_id)
    assert len(message.encode()) < MAX_MESSAGE_BYTES
    assert size_of(record_of(event)) < MAX_MESSAGE_BYTES


def test_the_log_is_a_topic_of_its_own_that_keeps_events_for_30_days() -> None:
    (spec,) = [spec for spec in tasks.broker.topic_specs() if spec.name == event_log]
    assert spec.is_source
    assert spec.config["cleanup.policy"] == "delete"
    assert spec.config["retention.ms"] == str(30 * 86_400_000)
    assert tasks.broker.topics_of("events") == ["todo.jobs.events", "todo.events"]
