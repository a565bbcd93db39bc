"""A look at what is to be committed is left out only while it would find nothing."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from workers.kafka import Cluster, OffsetAndMetadata, TopicPartition
from workers.partitions.commits import RETRY_DELAY_S, Commits
from workers.partitions.crash_counts import CrashCounter, CrashCounts
from workers.partitions.empty_partitions import EmptyPartitions
from workers.partitions.owned_partition import OwnedPartition

PARTITIONS = [TopicPartition("jobs", number) for number in range(3)]
INTERVAL_S = 0.5


class Consumer:
    """An assignment whose consumer has read what the test says; it counts the looks."""

    def __init__(self) -> None:
        self.now = 0.0
        self.looks = 0
        self.sent: list[tuple[dict[TopicPartition, OffsetAndMetadata], Callable[..., None]]] = []
        self.owned: dict[TopicPartition, OwnedPartition] = {}
        self.ends = dict.fromkeys(PARTITIONS, 0)
        self.polls = 0
        self._subscription = SimpleNamespace(assignment={})
        self.commits = Commits(
            self,
            Cluster(),
            "queue default",
            self.owned,
            EmptyPartitions("process"),
            on_read=self.pass_what_is_no_record,
            interval_s=INTERVAL_S,
            clock=lambda: self.now,
        )
        self.poll(PARTITIONS[0], 0)

    def pass_what_is_no_record(self, read: Any) -> None:
        self.looks += 1
        for partition, owned in self.owned.items():
            if not owned.buffer:
                owned.ledger.skip_to(read[partition].offset)

    def poll(self, partition: TopicPartition, records: int, markers: int = 0) -> None:
        """Read so many records, and markers of transactions behind them."""
        self.polls += 1
        first = self.ends[partition]
        self.ends[partition] += records + markers
        self._subscription.assignment = {
            one: SimpleNamespace(position=OffsetAndMetadata(end, "", 0), highwater=end)
            for one, end in self.ends.items()
        }
        if records:
            inherited = OffsetAndMetadata(first, "", 0)
            made = OwnedPartition(partition, inherited, CrashCounter(CrashCounts()), "process")
            owned = self.owned.setdefault(partition, made)
            owned.buffer.extend(SimpleNamespace(offset=first + number) for number in range(records))

    def commit_async(self, offsets: Any, callback: Callable[..., None]) -> None:
        self.sent.append((offsets, callback))

    def confirm(self, result: object = None) -> None:
        for offsets, callback in self.sent:
            callback(offsets, result)
        self.sent.clear()

    def take(self, partition: TopicPartition) -> None:
        if partition in self.owned:
            self.owned[partition].take(self.now)

    def end(self, partition: TopicPartition, *, last: bool) -> None:
        if partition in self.owned and (in_hand := list(self.owned[partition].in_hand)):
            self.owned[partition].done(in_hand[-1 if last else 0])
            self.commits.unsaved = True

    def look(self, after_s: float = INTERVAL_S) -> None:
        self.now += after_s
        self.commits.start_if_due(self.now)

    @property
    def is_saved(self) -> bool:
        """Whether Kafka has, or gets, all that a look would find now."""
        if self.commits.is_saving:
            return True
        skipped = all(
            owned.buffer or owned.ledger.next_offset == self.ends[partition]
            for partition, owned in self.owned.items()
        )
        return skipped and not self.commits.of(self.owned)


def idle() -> Consumer:
    """One that has committed all that it has read, and has looked once more."""
    consumer = Consumer()
    consumer.look()
    consumer.confirm()
    consumer.look()
    return consumer


def test_an_idle_consumer_does_not_look_again() -> None:
    consumer = idle()
    looks = consumer.looks
    for _ in range(5):
        consumer.look()
    assert consumer.looks == looks
    assert consumer.commits.is_at_rest


def test_after_a_poll_it_looks_once() -> None:
    consumer = idle()
    consumer.poll(PARTITIONS[1], 0, markers=1)
    assert not consumer.commits.is_at_rest
    consumer.look()
    assert list(consumer.sent[0][0]) == [PARTITIONS[1]]


def test_a_change_that_came_by_no_poll_is_committed() -> None:
    """Such as that all threads are busy: others then pass no jobs on to the process."""
    consumer = Consumer()
    consumer.poll(PARTITIONS[0], 1)
    consumer.take(PARTITIONS[0])
    consumer.end(PARTITIONS[0], last=True)
    for _ in range(3):
        consumer.look()
        consumer.confirm()
    assert consumer.commits.is_at_rest
    consumer.owned[PARTITIONS[0]].busy = consumer.commits.unsaved = True
    consumer.look()
    assert list(consumer.sent[0][0]) == [PARTITIONS[0]]


def test_a_commit_that_failed_is_sent_again() -> None:
    consumer = Consumer()
    consumer.look()
    consumer.confirm(RuntimeError("Kafka is away"))
    consumer.look(RETRY_DELAY_S)
    assert set(consumer.sent[0][0]) == set(PARTITIONS)


steps = st.one_of(
    st.tuples(st.just(Consumer.poll), st.sampled_from(PARTITIONS), st.integers(0, 3), st.integers(0, 1)),
    st.tuples(st.just(Consumer.take), st.sampled_from(PARTITIONS)),
    st.tuples(st.just(lambda c, p: c.end(p, last=False)), st.sampled_from(PARTITIONS)),
    st.tuples(st.just(lambda c, p: c.end(p, last=True)), st.sampled_from(PARTITIONS)),
    st.tuples(st.just(Consumer.look)),
    st.tuples(st.just(Consumer.confirm)),
    st.tuples(st.just(lambda c: c.confirm(RuntimeError("Kafka is away")))),
)


@given(st.lists(steps, max_size=40))
def test_whatever_happens_nothing_stays_unsaved_because_no_look_was_taken(
    taken: list[tuple[Callable[..., None], Any]],
) -> None:
    consumer = Consumer()
    for step, *arguments in taken:
        step(consumer, *arguments)
        consumer.look(RETRY_DELAY_S)
        assert consumer.is_saved
    for _ in range(3):
        consumer.confirm()
        consumer.look(RETRY_DELAY_S)
    assert not consumer.commits.is_saving
    assert consumer.is_saved
