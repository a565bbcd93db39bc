"""Each role does its work with the rights of `workers.rights` on a Kafka that allows nothing else."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator

import dramatiq
import pytest
from dramatiq import Worker

from tests.conftest import Login
from tests.helpers.acls import grant_all
from tests.helpers.kafka_reading import letters_of
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.dead_letters.filter import Filter
from workers.dead_letters.resolving import Resolution
from workers.dead_letters.selection import Search
from workers.errors import NotAuthorized, TopicsMissing
from workers.kafka.topic_reader import TopicReader
from workers.operations.dead_letters import act, replaying
from workers.operations.logged import log_of
from workers.operations.queue_status import StatusReader
from workers.records.envelope import Record
from workers.records.sources import Incoming
from workers.rights import ROLES, Role, rights_of
from workers.topics import Topics

DAY_MS = 86_400_000


class Shop:
    """An application with a queue, a source and a log, as one role connects to it."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.broker = KafkaBroker(
            cluster, namespace=namespace, partitions=1, commit_interval_ms=50, trim_interval_ms=100
        )
        self.ran: list[object] = []
        self.broken = True
        self.facts, self.news = (self.broker.topics.named(name) for name in ("facts", "news"))
        self.broker.sending.add_log(self.news, retention_ms=DAY_MS)
        self.broker.add_source("orders", self.facts, self.decode)

        @dramatiq.actor(broker=self.broker, queue_name="orders", max_retries=0)
        def order(what: str) -> None:
            if what == "broken" and self.broken:
                raise RuntimeError(what)
            self.broker.producer.deliver(self.news, Record(b"key", what.encode(), []))
            self.ran.append(what)

        self.order = order

    def decode(self, record: Incoming) -> dramatiq.Message[None]:
        return self.order.message((record.value or b"").decode())


@pytest.fixture
def shop(login: Login, namespace: str) -> Iterator[Callable[[Role], Shop]]:
    shops: list[Shop] = []
    for role in ROLES:
        rights = rights_of(role, Topics(namespace), [f"{namespace}.facts"], [f"{namespace}.news"])
        grant_all(login("admin"), role, rights)

    def connect(role: Role) -> Shop:
        shops.append(Shop(login(role), namespace))
        return shops[-1]

    yield connect
    for each in shops:
        each.broker.close()


def replay(broker: KafkaBroker) -> int:
    search = Search(broker.producer, broker.topics.dead_letters)
    action, result = replaying(broker), Resolution()
    act(broker, search, search.select(Filter(), None, action.problem_of), action, result)
    assert result.failures == []
    return result.done


def first_offset(broker: KafkaBroker, topic: str) -> int:
    with TopicReader(broker.cluster, topic) as reader:
        return min(first for first, _ in reader.sizes().values())


def records_in(broker: KafkaBroker, topic: str) -> list[bytes | None]:
    with TopicReader(broker.cluster, topic) as reader:
        return [record.value for record in reader.read_to_end()]


def test_each_role_does_its_work_and_no_more(
    shop: Callable[[Role], Shop],
    start_worker: Callable[..., Worker],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "workers")
    publisher = shop("publisher")
    with pytest.raises((TopicsMissing, NotAuthorized)):
        publisher.order.send("before the topics are there")
    shop("creator").broker.prepare()
    caplog.clear()
    publisher.order.send("now")
    publisher.order.send("broken")
    publisher.order.send_with_options(args=("later",), delay=300)
    publisher.broker.producer.deliver(publisher.facts, Record(b"key", b"fact", []))

    worker = shop("worker")
    start_worker(worker.broker)
    wait_for(lambda: sorted(map(str, worker.ran)) == ["fact", "later", "now"], timeout_s=60)

    operator = shop("operator").broker
    wait_for(lambda: len(letters_of(operator)) == 1)
    with StatusReader(operator.cluster, operator.topics, operator.delay_tiers, operator.topics_of) as reader:
        [status] = reader.read(["orders"])
    assert status.consumers == 1
    found = operator.controls.wait_confirmed(operator.controls.pause("orders", who="ann"), 20)
    assert str(found) == "1 of 1 worker has confirmed"
    operator.controls.resume("orders", who="ann")
    worker.broken = False
    assert replay(operator) == 1
    wait_for(lambda: "broken" in worker.ran)
    # As a reminder that an operator has put off.
    shop("operator").order.send_with_options(args=("put off",), delay=300)
    wait_for(lambda: "put off" in worker.ran)
    # It may trim, too.
    jobs = operator.topics.jobs("orders")
    wait_for(lambda: first_offset(operator, jobs) > 0)

    bridge = shop("bridge")
    assert records_in(bridge.broker, bridge.facts) == [b"fact"]
    assert set(records_in(bridge.broker, bridge.news)) == {
        *(b"broken", b"fact", b"later", b"now", b"put off")
    }
    for role in ("publisher", "bridge"):
        with pytest.raises(NotAuthorized):
            replay(shop(role).broker)
    assert [record.message for record in caplog.records if "cannot create" in record.message] == []


def test_who_may_not_write_an_action_down_is_told_on_which_topic(shop: Callable[[Role], Shop]) -> None:
    def write(broker: KafkaBroker) -> None:
        with log_of(broker) as log:
            log.write("ann", "pause", {"queue": "orders"})

    operator = shop("operator").broker
    without = [shop(role).broker for role in ("publisher", "worker")]  # one sees the topic, one does not
    for broker in without:  # before it is there
        with pytest.raises((TopicsMissing, NotAuthorized), match=re.escape(operator.topics.actions)):
            write(broker)
    write(operator)
    for broker in without:
        with pytest.raises((TopicsMissing, NotAuthorized), match=re.escape(operator.topics.actions)):
            write(broker)
    assert len(records_in(operator, operator.topics.actions)) == 1
