"""Why a job waits has a name, wherever it is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import dramatiq
from dramatiq import Worker

from tests.helpers.waiting import wait_for
from workers import KafkaBroker
from workers.controls.then import Then
from workers.dead_letters.filter import Filter
from workers.operations.job_state import Reason, Why, why


def test_the_reason_is_named_for_every_state(
    broker: KafkaBroker, start_worker: Callable[..., Worker]
) -> None:
    release, begun = threading.Event(), threading.Event()

    @dramatiq.actor(broker=broker, max_retries=0)
    def work(what: str) -> None:
        if what == "long":
            begun.set()
            assert release.wait(60)
        if what == "wrong":
            raise ValueError("no")

    def send(what: str, delay: int | None = None, **options: Any) -> str:
        return work.send_with_options(args=(what,), delay=delay, **options).message_id

    def told(job_id: str, reason: Reason) -> Why:
        return wait_for(lambda: found if (found := why(broker, job_id)).reason is reason else None)

    first = send("short", key="user:1")
    assert "no worker runs the queue default" in told(first, Reason.NO_WORKER).text
    start_worker(broker, threads=1)
    told(first, Reason.DONE)
    long = send("long", key="user:1")
    assert begun.wait(30)
    running = told(long, Reason.RUNNING)
    assert ":" in running.facts["worker"]
    behind = [send("short", key="user:1") for _ in range(4)]
    in_hand = told(behind[0], Reason.IN_HAND)
    assert f"work {long} runs for" in in_hand.text
    last = told(behind[-1][:20], Reason.KEY)
    assert last.id == behind[-1]
    assert "its key user:1 keeps it with worker" in last.text
    assert last.facts["ahead"] >= 3
    later = send("short", delay=3_600_000)
    assert "delayed until" in told(later, Reason.DELAYED).text

    broker.controls.pause("default", who="ann", why="the mail server is down")
    assert "paused by ann" in told(behind[-1], Reason.PAUSED).text
    broker.controls.resume("default", who="ann")
    release.set()
    told(behind[-1], Reason.DONE)
    assert "ValueError: no" in told(send("wrong"), Reason.DEAD_LETTER).text
    switch, change = broker.controls.switch(Filter(actor="work"), Then.HOLD, who="ann")
    assert broker.controls.wait_confirmed(change, 20).is_complete
    assert switch.id in told(send("short"), Reason.HELD).text
    assert told("11111111", Reason.NO_TRACE).id == "11111111"
