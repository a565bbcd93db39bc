"""Plays the script against running workers and checks the effects."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from tasks import broker, publish
from tasks.app import event_log
from workers.errors import WorkersError
from workers.partitions.lag import LagReader
from workers.records.envelope import Record

from .environment import PROCESSES, mail_variables
from .expectations import check, timings
from .mail_server import MailServer
from .observation import Observer
from .other_service import record_in_binary_mode
from .programs import Program, keep_running, wait_for_workers
from .progress import Effect, Progress, Publication
from .scenario import DEFERRALS, DEFERRED_EMAIL, REFUSED_EMAIL, Operate, Publish, Remind, Replay, Step, script
from .view import View

#: How long a step may wait for its effects before the next begins, and the whole script for its last ones.
_STEP_TIMEOUT_S = 10.0
_LAST_TIMEOUT_S = 10.0
#: How long commits may take once all effects were seen.
_COMMIT_TIMEOUT_S = 5.0


def run(folder: Path, *, as_json: bool, keep: bool) -> int:
    """Run the demo with its files in ``folder`` and return its exit status. Raises WorkersError."""
    view = View(json_only=as_json)
    view.say(f"Kafka at {broker.cluster.address}, namespace {broker.topics.namespace}")
    broker.prepare()
    with MailServer(refused=REFUSED_EMAIL, deferred=DEFERRED_EMAIL, deferrals=DEFERRALS) as mail_server:
        view.say(f"SMTP server at 127.0.0.1:{mail_server.port}")
        with Program("worker", folder, mail_variables(mail_server.port)) as fleet:
            wait_for_workers(fleet, PROCESSES)
            view.say(f"Workers from the Procfile run, log {fleet.log_file}")
            progress = Progress(script(datetime.now(UTC)))
            with Observer(folder / "audit.db", mail_server) as observer:
                _play(progress, observer, fleet, view, mail_server)
                jobs_left = _jobs_left()
                # Unwanted effects, such as a second mail, come after the wanted ones.
                for effect in observer.effects():
                    progress.saw(effect)
                    view.effect(effect, progress)
            expectations = check(progress, jobs_left=jobs_left)
            measured = timings(progress)
            view.summary(expectations, measured)
            ok = all(expectation.ok for expectation in expectations)
            if keep:
                _keep_running(view, folder, mail_server, fleet)
    broker.close()
    if as_json:
        summary = {
            "ok": ok,
            "expectations": [asdict(expectation) for expectation in expectations],
            "timings": {name: asdict(timing) for name, timing in measured.items()},
        }
        view.json_line(json.dumps(summary, ensure_ascii=False))
    return 0 if ok else 1


def _play(
    progress: Progress, observer: Observer, fleet: Program, view: View, mail_server: MailServer
) -> None:
    for step in progress.steps:
        if isinstance(step.action, Remind):
            progress.published(step, Publication(step.action.due.timestamp(), 0.0))
    for step in progress.steps:
        view.begin(step)
        _act(step, progress, view, mail_server)
        is_complete = partial(progress.is_complete, step) if step.waits else lambda: True
        for effect in _until(is_complete, _STEP_TIMEOUT_S, observer, fleet):
            progress.saw(effect)
            view.effect(effect, progress)
    for effect in _until(progress.has_enough, _LAST_TIMEOUT_S, observer, fleet):
        progress.saw(effect)
        view.effect(effect, progress)


def _act(step: Step, progress: Progress, view: View, mail_server: MailServer) -> None:
    action = step.action
    if isinstance(action, Remind):
        return
    for _ in range(action.times if isinstance(action, Publish) else 1):
        at, started = time.time(), time.perf_counter()
        if isinstance(action, Publish) and not action.by_other:
            publish(action.event)
        elif isinstance(action, Publish):
            broker.producer.deliver(event_log, record_in_binary_mode(action.event))
        elif isinstance(action, Replay):
            mail_server.accept_all()
            _type(("dead-letters", "replay", action.job, "--yes"), view)
        elif isinstance(action, Operate):
            _type(action.command, view)
        else:
            broker.producer.deliver(event_log, Record(action.key.encode(), action.value, []))
        took_ms = (time.perf_counter() - started) * 1000
        progress.published(step, Publication(at, took_ms))
        view.published(step, took_ms)


def _type(words: Sequence[str], view: View) -> None:
    """Run a command as an operator types it. Raises WorkersError if it fails."""
    view.typed(" ".join(["todo-workers", *words]))
    done = subprocess.run(
        [sys.executable, "-m", "workers", *words], capture_output=True, text=True, check=False
    )
    view.answered(done.stdout + done.stderr)
    if done.returncode:
        raise WorkersError(f"the command ended with status {done.returncode}")


def _until(
    is_enough: Callable[[], bool], timeout_s: float, observer: Observer, fleet: Program
) -> Iterator[Effect]:
    """Yield the effects that are seen until there are enough, or the time is up."""
    deadline = time.monotonic() + timeout_s
    parent = os.getppid()
    while not is_enough() and time.monotonic() < deadline:
        if os.getppid() != parent:
            raise WorkersError("the command that started the demo is gone")
        fleet.require_running()
        yield from observer.effects()


def _jobs_left() -> int:
    deadline = time.monotonic() + _COMMIT_TIMEOUT_S
    left = 0
    for queue in sorted(broker.get_declared_queues()):
        with LagReader(broker.cluster, broker.topics_of(queue), broker.topics.group(queue)) as reader:
            while (waiting := reader.not_done()) and time.monotonic() < deadline:
                time.sleep(0.05)
            left += waiting
    return left


def _keep_running(view: View, folder: Path, mail_server: MailServer, fleet: Program) -> None:
    view.kept(
        {
            "KAFKA_BOOTSTRAP_SERVERS": broker.cluster.address,
            "KAFKA_NAMESPACE": broker.topics.namespace,
            "SMTP_PORT": str(mail_server.port),
            "DATABASE_URL": os.environ["DATABASE_URL"],
            "folder": str(folder),
            "workers' log": str(fleet.log_file),
        }
    )
    keep_running(fleet)
