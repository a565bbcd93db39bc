"""Runs a soak: starts everything, samples and kills while the load comes, and compares in the end."""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import text

from workers import Cluster
from workers.kafka import ConfigResource, connect_admin

from ..errors import NotMeasured
from ..systems.worker_processes import READY
from ..web_server import free_port
from .outcome import Outcome, compare
from .plan import Kill, Load
from .samples import Samples
from .services import Kafka, PostgreSql, Program, Service

NAMESPACE = "soak"
#: What would be days in production is minutes here, so that pruning and retention show within the run.
KEPT_MINUTES = 6
_RETENTION = {"retention.ms": "180000", "segment.ms": "60000"}
_LOGS = ("events", "updates", "fleet", "stats")
#: How long nothing may happen, after the load has ended, while events have no row or mails are not sent.
_PATIENCE_S = 240.0
_TRIALS_S = 5.0


@dataclass
class Done:
    """A kill, and how long it took until the service was there again."""

    kill: Kill
    back_s: float


@dataclass
class Result:
    """All that a run has found."""

    load: Load
    samples: Samples
    kills: list[Done] = field(default_factory=list)
    outcome: Outcome = field(default_factory=Outcome)
    problems: list[str] = field(default_factory=list)
    cpu_s: Mapping[str, float] = field(default_factory=dict)


def soak(load: Load, planned: list[Kill], say: Callable[[str], object]) -> Result:
    """Run it all. Raises NotMeasured if a service does not start."""
    with tempfile.TemporaryDirectory(prefix="soak-") as name, ExitStack() as stack:
        folder = Path(name)
        services = stack.enter_context(_services(folder, is_short_lived=load.is_steady))
        arguments = [str(folder / "published"), json.dumps(asdict(load))]
        sender = Program(["bench.soak.load", *arguments], folder / "load.log", {})
        stack.callback(sender.stop)
        sender.start()
        began = time.monotonic()
        result = Result(load, Samples(began))
        killer = _Killer(services, planned, result, say)
        killer.start()
        stack.callback(killer.stop)
        every_s = max(2.0, min(15.0, load.length_s / 120))
        while not sender.has_ended():
            _sample(result.samples, {**killer.there(), "load": sender}, folder)
            time.sleep(every_s)
            if time.monotonic() - began > load.length_s + _PATIENCE_S:
                result.problems.append("the load does not end: Kafka takes no events")
                break
        killer.stop()
        say("the load has ended, waiting for the last mails")
        _wait_until_done(folder / "published", services, result)
        result.cpu_s = _cpu_of(result.samples)
        for one in ("worker-1", "worker-2"):
            services[one].stop()
        _compare(folder, result)
        return result


@contextmanager
def _services(folder: Path, *, is_short_lived: bool) -> Iterator[dict[str, Service]]:
    """Start all services, in the environment of this process and its children; stop them in the end.

    With ``is_short_lived``, records and rows are kept for minutes. Not so for a load that is more than the
    workers may keep up with: what Kafka deletes undone is lost.
    """
    with ExitStack() as stack:
        services: dict[str, Service] = {}

        def started(name: str, service: Service) -> Any:
            stack.callback(service.stop)  # first, as this may end while it starts
            service.start()
            services[name] = service
            return service

        kafka = started("kafka", Kafka(folder / "kafka"))
        database = started("database", PostgreSql(folder))
        port = free_port()
        sink = ["bench.systems.pipeline.mail_sink", str(folder / "mails"), str(port)]
        started("mail", Program(sink, folder / "mail.log", {}, ready=str(port)))
        # `tasks` reads the settings when it is imported.
        os.environ |= {
            "KAFKA_BOOTSTRAP_SERVERS": kafka.address,
            "KAFKA_NAMESPACE": NAMESPACE,
            "DATABASE_URL": database.url,
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(port),
            "SMTP_LEASE_S": "20",
            "REMINDER_RECONCILE_EVERY": "1m",
        }
        if is_short_lived:
            os.environ |= dict.fromkeys(
                ("DELIVERY_KEPT_DAYS", "REMINDER_KEPT_DAYS"), f"{KEPT_MINUTES / 60 / 24}"
            )
        tasks = import_module("tasks")
        tasks.broker.prepare()
        import_module("tasks.app").database().upgrade()
        if is_short_lived:
            _shorten_logs(kafka.address)
        for name in ("worker-1", "worker-2"):
            command = ["dramatiq", "tasks", "--processes", "1", "--threads", "8"]
            started(name, Program(command, folder / f"{name}.log", {}, ready=READY))
        yield services


def _shorten_logs(address: str) -> None:
    with connect_admin(Cluster((address,))) as admin:
        found = set(admin.list_topics())
        names = [f"{NAMESPACE}.{name}" for name in _LOGS]
        admin.alter_configs([ConfigResource("TOPIC", name, _RETENTION) for name in names if name in found])


class _Killer(threading.Thread):
    """Kills services at their times, one after the other."""

    def __init__(
        self,
        services: Mapping[str, Service],
        planned: list[Kill],
        result: Result,
        say: Callable[[str], object],
    ) -> None:
        super().__init__(name="killer", daemon=True)
        self._services = services
        self._planned = planned
        self._result = result
        self._say = say
        self._began = time.monotonic()
        self._stopped = threading.Event()
        self._away: str | None = None

    def there(self) -> dict[str, Service]:
        """The services but the one that is away."""
        return {name: service for name, service in self._services.items() if name != self._away}

    def run(self) -> None:
        for kill in self._planned:
            if self._stopped.wait(max(0.0, self._began + kill.at_s - time.monotonic())):
                return
            self._say(f"{kill.at_s:.0f} s: {kill.target} is killed, for {kill.away_s:.0f} s")
            at = time.monotonic()
            self._away = kill.target
            try:
                self._services[kill.target].restart(kill.away_s)
            except Exception as exc:  # noqa: BLE001 - the run has failed, and says why
                self._result.problems.append(f"{kill.target} did not come back: {exc}")
                return
            self._away = None
            self._result.kills.append(Done(kill, time.monotonic() - at))

    def stop(self) -> None:
        """Kill nothing more; wait until what is away is back."""
        self._stopped.set()
        self.join(180)


def _sample(samples: Samples, services: Mapping[str, Service], folder: Path) -> None:
    samples.take_processes(services)
    if "database" in services and "kafka" in services:
        try:
            samples.take_tables(import_module("tasks.app").database().engine)
            samples.take_topics(
                Cluster((os.environ["KAFKA_BOOTSTRAP_SERVERS"],)), NAMESPACE, folder / "kafka"
            )
        except Exception:  # noqa: BLE001 - one of them has just been killed
            samples.misses += 1


def _wait_until_done(published: Path, services: Mapping[str, Service], result: Result) -> None:
    """Wait until each event has its row, and no mail is on its way; or until nothing happens any more."""
    with published.open("rb") as lines:
        expected = sum(1 for _ in lines)
    rows = text("SELECT coalesce(max(sequence), 0) FROM audit_trail")
    unsent = text("SELECT count(*) FROM deliveries WHERE state NOT IN ('sent', 'opted-out')")
    engine = import_module("tasks.app").database().engine
    before: tuple[int, int] | None = None
    moved = time.monotonic()
    while time.monotonic() < moved + _PATIENCE_S:
        result.samples.take_processes(services)
        with engine.connect() as connection:
            now = connection.execute(rows).scalar_one(), connection.execute(unsent).scalar_one()
        if now[0] >= expected and not now[1]:
            return
        if now != before:
            before, moved = now, time.monotonic()
        time.sleep(_TRIALS_S)
    result.problems.append(f"not all was done, and nothing has happened for {_PATIENCE_S:.0f} s")


def _compare(folder: Path, result: Result) -> None:
    """Fill in the outcome; what breaks a promise is a problem."""
    database = import_module("tasks.app").database()
    verdict = import_module("tasks.audit.verify").verify(database)
    result.problems += verdict.told
    with database.reading() as connection:
        streaming = connection.execution_options(yield_per=10_000)
        recorded = streaming.execute(text("SELECT event_id FROM audit_trail")).scalars()
        result.outcome = compare(folder / "published", folder / "mails", recorded, result.load.slot)
    letters = import_module("workers.dead_letters.reader").unresolved
    broker = import_module("tasks").broker
    count = sum(1 for _ in letters(broker.cluster, broker.topics.dead_letters))
    if count:
        result.problems.append(f"{count} dead letters")
    if not result.outcome.events:
        raise NotMeasured("nothing was published")


def _cpu_of(samples: Samples) -> dict[str, float]:
    found: dict[str, float] = {}
    for (name, _), seconds in samples.cpu_s.items():
        found[name] = found.get(name, 0.0) + seconds
    return found
