"""Packages for dramatiq that docs/integrations.md promises to work, each set up as that page says."""
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import dramatiq
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.cron import CronTrigger
from dramatiq import Worker
from dramatiq.rate_limits.backends import StubBackend as StubLimits
from dramatiq_abort import Abort, Abortable, abort
from dramatiq_abort.backends import StubBackend as StubEvents
from dramatiq_workflow import Chain, Group, WithDelay, Workflow, WorkflowMiddleware
from periodiq import PeriodiqMiddleware, cron

from tests.helpers.waiting import wait_for
from workers import KafkaBroker

StartWorker = Callable[[KafkaBroker], Worker]


def test_abort_ends_a_job_that_runs_and_skips_one_that_waits(
    broker: KafkaBroker, start_worker: StartWorker
) -> None:
    events = StubEvents()
    broker.add_middleware(Abortable(backend=events))
    begun, ended = threading.Event(), threading.Event()
    ran: list[str] = []

    @dramatiq.actor(broker=broker, queue_name="exports")
    def export() -> None:
        begun.set()
        try:
            while True:
                time.sleep(0.01)
        except Abort:
            ended.set()

    @dramatiq.actor(broker=broker, queue_name="exports")
    def note(what: str) -> None:
        ran.append(what)

    waiting = note.send("aborted")
    abort(waiting.message_id, middleware=_of(broker, Abortable))
    running = export.send()
    start_worker(broker)
    assert begun.wait(20)
    abort(running.message_id, middleware=_of(broker, Abortable))
    assert ended.wait(20)
    note.send("not aborted")
    broker.join("exports", timeout=60_000)
    assert ran == ["not aborted"]


def test_a_workflow_runs_its_steps_in_order(broker: KafkaBroker, start_worker: StartWorker) -> None:
    broker.add_middleware(WorkflowMiddleware(StubLimits()))
    ran: list[str] = []

    @dramatiq.actor(broker=broker, queue_name="orders")
    def step(name: str) -> None:
        ran.append(name)

    start_worker(broker)
    Workflow(
        Chain(
            step.message("pick"),
            Group(step.message("pack"), step.message("invoice")),
            WithDelay(step.message("review"), delay=200),
        ),
        broker=broker,
    ).run()
    wait_for(lambda: len(ran) == 4)
    assert (ran[0], set(ran[1:3]), ran[3]) == ("pick", {"pack", "invoice"}, "review")


def test_a_periodic_job_runs_unless_it_is_late(broker: KafkaBroker, start_worker: StartWorker) -> None:
    broker.add_middleware(PeriodiqMiddleware(skip_delay=30))
    ran: list[str] = []

    @dramatiq.actor(broker=broker, queue_name="reports", periodic=cron("0 6 * * 1"))
    def report(when: str) -> None:
        ran.append(when)

    now = datetime.now(UTC)
    report.send_with_options(args=("late",), scheduled_at=str(now - timedelta(minutes=1)))
    report.send_with_options(args=("on time",), scheduled_at=str(now))
    start_worker(broker)
    broker.join("reports", timeout=60_000)
    assert ran == ["on time"]


def test_a_scheduler_of_its_own_sends_a_job(broker: KafkaBroker, start_worker: StartWorker) -> None:
    ran = threading.Event()

    @dramatiq.actor(broker=broker, queue_name="reports")
    def weekly_report() -> None:
        ran.set()

    scheduler = BlockingScheduler(timezone="Europe/Berlin")
    trigger = CronTrigger.from_crontab("0 6 * * mon")
    scheduler.add_job(weekly_report.send, trigger, next_run_time=datetime.now(UTC))
    thread = threading.Thread(target=scheduler.start)
    thread.start()
    try:
        start_worker(broker)
        assert ran.wait(60)
        (job,) = scheduler.get_jobs()
        assert (job.next_run_time.weekday(), job.next_run_time.hour) == (0, 6)
    finally:
        scheduler.shutdown()
        thread.join()


def _of(broker: KafkaBroker, kind: type) -> dramatiq.Middleware:
    (found,) = (one for one in broker.middleware if isinstance(one, kind))
    return found
