"""The index on a real topic: built, kept up to date, left and entered again, and read by."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers.waiting import wait_for
from tests.unit.workers.dead_letters.index.test_table import a_letter
from workers import Cluster, KafkaBroker
from workers.dead_letters.filter import Filter
from workers.dead_letters.index.following import IndexedLetters
from workers.dead_letters.index.lookup import IndexLetters
from workers.dead_letters.selection import Search
from workers.dead_letters.topic.letter_record import encode
from workers.kafka import connect_admin, create_missing_topics
from workers.records.envelope import Record
from workers.topics import dead_letters_spec


@pytest.fixture
def broker(cluster: Cluster, namespace: str) -> Iterator[KafkaBroker]:
    broker = KafkaBroker(cluster, namespace=namespace, partitions=3)
    broker.prepare()
    yield broker
    broker.close()


def test_it_finds_what_a_whole_reading_finds_as_letters_come_and_go(broker: KafkaBroker) -> None:
    topic = broker.topics.dead_letters

    def write(*ids: str) -> None:
        for one in ids:
            broker.producer.deliver(topic, encode(a_letter(message_id=one, exception_message=f"row {one}")))

    write(*(f"m{number}" for number in range(300)))
    letters = IndexedLetters(broker.cluster, topic)
    with letters:
        assert 200 < letters.newest.count(Filter()) <= 300  # a hundred of each partition at most
        while not letters.built.is_complete:
            letters.step(200)
        assert letters.index.count(Filter()) == 300
        broker.producer.deliver(topic, Record(b"m7", None, []))
        letters.catch_up()
    write("later")
    with letters:
        letters.catch_up()
    lookup = IndexLetters(broker.cluster, topic, lambda: letters.index)
    search = Search(broker.producer, topic, letters=lookup)
    found = {entry.letter.id for entry in search.matching(Filter(text="ROW"))}
    assert found == {entry.letter.id for entry in Search(broker.producer, topic).matching(Filter())}
    assert "m7" not in found
    assert "later" in found
    selection = search.select(Filter(ids=("m8", "m9")), None, lambda _: None)
    broker.producer.deliver(topic, Record(b"m9", None, []))
    with letters:
        letters.catch_up()
    assert [entry.letter.id for entry in search.chosen(selection)] == ["m8"]
    letters.close()


def test_a_topic_that_comes_later_and_one_made_anew_are_noticed(cluster: Cluster, namespace: str) -> None:
    broker = KafkaBroker(cluster, namespace=namespace)
    topic = broker.topics.dead_letters
    now = 0.0
    letters = IndexedLetters(cluster, topic, clock=lambda: now)

    def make(*ids: str) -> None:
        create_missing_topics(cluster, [dead_letters_spec(broker.topics, 1, None)])
        for one in ids:
            broker.producer.deliver(topic, encode(a_letter(message_id=one)))

    def known() -> set[str]:
        letters.step(200)
        return {row.id for row in letters.index.newest(Filter(), 10)}

    with letters:
        assert not letters.has_topic
        make("one")
        now += 60
        wait_for(lambda: known() == {"one"})
    with connect_admin(cluster) as admin:
        admin.delete_topics([topic])
        wait_for(lambda: topic not in admin.list_topics())
    make("two", "three")
    with letters:
        wait_for(lambda: known() == {"two", "three"})
    letters.close()
    broker.close()
