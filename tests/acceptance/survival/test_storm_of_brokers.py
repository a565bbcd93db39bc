"""Three brokers are killed, restarted and cut off in turn under jobs and events; `make storm` runs it.

Its small form, for every run of the tests, is `test_three_brokers`.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dramatiq
import pytest
from sqlalchemy import select

from tasks.audit.trail import audit_trail
from tasks.storage.database import Database
from tests.helpers.chatbot import Chatbot
from tests.helpers.fleet import Fleet
from tests.helpers.samples import KINDS, a_todo, an_event
from tests.helpers.smtp_server import SmtpServer
from tests.helpers.three_brokers import NODES, ThreeBrokers
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.errors import WorkersError

JOBS = int(os.environ.get("STORM_JOBS", "0"))
EVENTS = int(os.environ.get("STORM_BROKER_EVENTS", str(JOBS // 10)))
FLEETS, THREADS = 2, 4
#: Jobs that are sent and not done, at most: so each that waits shows a pause of the delivery.
AHEAD = 200
#: How long Kafka takes to fence a broker that is dead or cut off (broker.session.timeout.ms).
FENCING_S = 9.0
#: What clients and a busy machine need besides, to find the new leaders and to do what waited.
SLACK_S = 11.0
PATIENCE_S = 300 + JOBS / 100

pytestmark = [
    pytest.mark.skipif(not JOBS, reason="make storm runs it"),
    pytest.mark.timeout(3 * PATIENCE_S),
]


class Load:
    """Sends jobs and looks when they are done, each on a thread of its own, from one phase to the next."""

    def __init__(self, broker: KafkaBroker, numbers: Path) -> None:
        self._broker = broker
        self._numbers = numbers
        self._sent_at: list[float] = []
        self._done: Counter[int] = Counter()
        self._longest: dict[str, float] = {}
        self._phase = "start"
        self._ending = False
        self.errors: list[tuple[str, WorkersError]] = []

    @property
    def sent(self) -> int:
        return len(self._sent_at)

    @property
    def repeated(self) -> int:
        return self._done.total() - len(self._done)

    def is_done(self) -> bool:
        return len(self._done) == self.sent

    @contextmanager
    def running(self) -> Iterator[None]:
        """At least JOBS are sent when it ends, and all are done."""
        sender, watcher = threading.Thread(target=self._send), threading.Thread(target=self._watch)
        sender.start()
        watcher.start()
        try:
            yield
            wait_for(lambda: self.sent >= JOBS, PATIENCE_S)
        finally:
            self._ending = True
            sender.join()
        try:
            wait_for(self.is_done, PATIENCE_S)
        finally:
            self._numbers = Path(os.devnull)
            watcher.join()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        self._phase = name
        yield
        caught_up = self.sent
        wait_for(lambda: all(number in self._done for number in range(caught_up)), PATIENCE_S)

    def pauses(self) -> dict[str, float]:
        """The longest time from Kafka's confirmation of a job to its end, by phase."""
        return {phase: round(longest, 1) for phase, longest in self._longest.items()}

    def _send(self) -> None:
        while not self._ending:
            if self.sent - len(self._done) >= AHEAD:
                time.sleep(0.01)
                continue
            messages = [
                dramatiq.Message[None]("default", "note", (self.sent + number, 0), {}, {})
                for number in range(20)
            ]
            try:
                with self._broker.batch():
                    for message in messages:
                        self._broker.enqueue(message)
            except WorkersError as exc:
                self.errors.append((self._phase, exc))
            self._sent_at += [time.monotonic()] * len(messages)

    def _watch(self) -> None:
        wait_for(self._numbers.exists, PATIENCE_S)
        with self._numbers.open() as lines:
            while self._numbers.name != "null":
                for line in lines:
                    self._note(int(line.split()[0]))
                time.sleep(0.02)

    def _note(self, number: int) -> None:
        self._done[number] += 1
        if number < self.sent:  # else it was done before its batch was confirmed
            waited = time.monotonic() - self._sent_at[number]
            self._longest[self._phase] = max(waited, self._longest.get(self._phase, 0.0))


@pytest.fixture
def broker(brokers: ThreeBrokers, namespace: str) -> Iterator[KafkaBroker]:
    broker = KafkaBroker(Cluster(brokers.bootstrap_servers), namespace=namespace, partitions=4)
    broker.declare_queue("default")
    broker.prepare()
    yield broker
    broker.close()


def test_each_broker_is_killed_restarted_and_cut_off_and_nothing_is_lost(
    brokers: ThreeBrokers, broker: KafkaBroker, sqlite: Database, tmp_path: Path
) -> None:
    load = Load(broker, tmp_path / "numbers")
    events = [an_event(KINDS[number % 4], todo=a_todo(id=f"todo-{number % 50}")) for number in range(EVENTS)]
    failures: list[BaseException] = []
    with ExitStack() as stack:
        server = stack.enter_context(SmtpServer())
        fleets = [
            stack.enter_context(Fleet(broker, tmp_path, threads=THREADS, name=f"jobs-{number}"))
            for number in range(FLEETS)
        ]
        url = sqlite.engine.url.render_as_string(hide_password=False)
        chatbot = stack.enter_context(Chatbot(broker, tmp_path, database_url=url, smtp_port=server.port))
        publisher = threading.Thread(target=publish, args=(chatbot, events, failures))
        with load.running():
            publisher.start()
            storm(brokers, load)
        publisher.join(PATIENCE_S)
        assert failures == []
        wait_for(lambda: server.count >= EVENTS, PATIENCE_S)
        wait_for(lambda: len(rows(sqlite)) >= EVENTS, PATIENCE_S)
        assert [fleet.stop() for fleet in (*fleets, chatbot)] == [0] * (FLEETS + 1)
        mails = Counter(str(mail["Message-ID"]) for mail in server.mails)
        numbers = fleets[0].numbers()
    lost = load.sent - len(numbers)
    print(  # noqa: T201 - for the reader of `make storm`
        f"storm of brokers: {load.sent} jobs, lost {lost}, repeated {load.repeated}; {EVENTS} events, lost "
        f"{EVENTS - len(set(rows(sqlite)))} rows and {EVENTS - len(mails)} mails, repeated "
        f"{mails.total() - len(mails)} mails; longest delivery {load.pauses()}; errors {load.errors}"
    )
    assert set(numbers) == set(range(load.sent))
    assert sorted(rows(sqlite)) == sorted(str(event.event_id) for event in events)
    assert len(mails) == EVENTS
    # dramatiq has two jobs in hand for each thread, and there were seven events.
    assert load.repeated <= 7 * FLEETS * THREADS * 2
    assert load.errors == []
    assert max(load.pauses().values()) <= FENCING_S + SLACK_S
    assert load.pauses()["restarted"] <= SLACK_S


def storm(brokers: ThreeBrokers, load: Load) -> None:
    with load.phase("calm"):
        wait_for(lambda: load.sent > AHEAD, PATIENCE_S)
    with load.phase("restarted"):
        for node in NODES:
            brokers.stop(node)
            brokers.start(node)
    with load.phase("killed"):
        for node in NODES:
            brokers.kill(node)
            wait_for(lambda node=node: brokers.leads_nothing(node), 60)  # type: ignore[misc]
            brokers.start(node)
    with load.phase("cut off"):
        with brokers.cut_off(NODES[0]):
            wait_for(lambda: brokers.leads_nothing(NODES[0]), 120)
        brokers.wait_until_in_sync()
    with load.phase("after"):
        pass


def publish(chatbot: Chatbot, events: list, failures: list[BaseException]) -> None:  # type: ignore[type-arg]
    """Publish in portions, as long as it takes."""
    size = max(1, len(events) // 20)
    try:
        for start in range(0, len(events), size):
            chatbot.publish(events[start : start + size])
    except BaseException as exc:
        failures.append(exc)


def rows(database: Database) -> list[str]:
    with database.reading() as connection:
        return list(connection.execute(select(audit_trail.c.event_id)).scalars())
