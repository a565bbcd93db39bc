"""A worker without rights on the control and fleet topics runs all the same, and says what is missing."""

from __future__ import annotations

from collections.abc import Callable

import dramatiq
import pytest
from dramatiq import Worker
from kafka.admin import ACLOperation, ResourceType

from tests.conftest import Login
from tests.helpers.acls import grant
from tests.helpers.waiting import wait_for
from workers import KafkaBroker
from workers.kafka import create_missing_topics


@pytest.mark.long
def test_jobs_run_without_the_rights_and_one_line_for_each_topic_says_so(
    login: Login, namespace: str, start_worker: Callable[..., Worker], caplog: pytest.LogCaptureFixture
) -> None:
    broker = KafkaBroker(login("alice"), namespace=namespace, partitions=1, commit_interval_ms=50)
    ran: list[int] = []

    @dramatiq.actor(broker=broker)
    def work(number: int) -> None:
        ran.append(number)

    admin = login("admin")
    needed = [spec for spec in broker.topic_specs() if not spec.is_optional]
    create_missing_topics(admin, needed)
    grant(
        admin, ResourceType.TOPIC, f"{namespace}.jobs", ACLOperation.READ, ACLOperation.WRITE, prefixed=True
    )
    grant(admin, ResourceType.TOPIC, f"{namespace}.de", ACLOperation.READ, ACLOperation.WRITE, prefixed=True)
    grant(admin, ResourceType.GROUP, namespace, ACLOperation.READ, prefixed=True)
    worker = start_worker(broker)
    work.send(1)
    wait_for(lambda: ran == [1])
    told = [record.getMessage() for record in caplog.records if record.name.startswith("workers.")]
    for name, what in (("control", "controls not followed"), ("fleet", "does not show in the fleet")):
        (line,) = [text for text in told if what in text]
        assert f"{namespace}.{name}" in line
    worker.stop()
    broker.close()
