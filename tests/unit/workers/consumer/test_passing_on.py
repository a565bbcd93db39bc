"""Jobs that wait behind long ones are passed on; all others stay where they are."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import dramatiq
import pytest

from tests.helpers.records import Consumed
from workers import Cluster
from workers.consumer import passing_on
from workers.consumer.acks import Inbox, PassedOn
from workers.consumer.passing_on import Group, PassingOn
from workers.consumer.still_running import EarlierJobs, StillRunning
from workers.errors import KafkaUnreachable
from workers.kafka import OffsetAndMetadata, TopicPartition
from workers.partitions import commit_metadata
from workers.partitions.commit_metadata import Load
from workers.partitions.crash_counts import CrashCounter, CrashCounts
from workers.partitions.ledger import Progress
from workers.partitions.owned_partition import OwnedPartition
from workers.partitions.taken_message import TakenMessage
from workers.topics import MAX_JOB_BYTES, RETRY_ROOM_BYTES

MINE, THEIRS = TopicPartition("jobs", 0), TopicPartition("jobs", 1)
#: A commit of a process that has nothing to do, and of one that has no free thread.
IDLE = commit_metadata.encode(Progress((), 5), CrashCounts(True, {}, "other"))
BUSY = commit_metadata.encode(Progress((), 5), CrashCounts(True, {}, "other"), Load(busy=True))
#: The value of a job about as large as they may be: sixteen are as many bytes as a poll brings.
LARGE = b"x" * 1024 * 1024


class Future:
    def __init__(self) -> None:
        self.calls: dict[str, Any] = {}

    def add_callback(self, call: Any) -> None:
        self.calls["callback"] = call

    def add_errback(self, call: Any) -> None:
        self.calls["errback"] = call


class World:
    """A process with the threads that ``prefetch`` is for, and another one in the group."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, inherited: CrashCounts = CrashCounts()) -> None:  # noqa: B008
        self.now = 0.0
        self.commit, self.asked, self.is_joining = IDLE, 0, False
        self.dead: set[str] = set()
        self.sent: list[tuple[Any, int]] = []
        self.futures: list[Future] = []
        self.refusal: KafkaUnreachable | None = None
        self.inbox, self.running_earlier = Inbox(), StillRunning()
        self.earlier = EarlierJobs(self.running_earlier)
        crashes = CrashCounter(inherited)
        self.owned = OwnedPartition(MINE, OffsetAndMetadata(0, "", -1), crashes)
        monkeypatch.setattr(passing_on, "committed_in", self.commits)
        monkeypatch.setattr(passing_on, "is_joining", lambda _: self.is_joining)
        producer = SimpleNamespace(cluster=Cluster(("nowhere:1",)), send=self.send)
        memberships = SimpleNamespace(owner="me", is_dead=self.dead.__contains__)
        group = Group(SimpleNamespace(), producer, "jobs", memberships)  # type: ignore[arg-type]
        self.passing = PassingOn(group, 2, self.earlier, self.inbox, lambda: self.now)

    def commits(self, *_: object) -> dict[TopicPartition, OffsetAndMetadata]:
        """Of another process, which has always just done what it was given."""
        self.asked += 1
        return {THEIRS: OffsetAndMetadata(5, self.commit, self.asked)}

    def send(self, topic: str, record: Any, *, partition: int) -> Future:
        if self.refusal is not None:
            raise self.refusal
        self.sent.append((record, partition))
        self.futures.append(Future())
        return self.futures[-1]

    def fetch(self, records: Iterable[Consumed]) -> None:
        self.owned.buffer.extend(records)

    def hand_out(self) -> TakenMessage:
        record = self.owned.take(self.now)
        assert record is not None
        message: dramatiq.Message[Any] = dramatiq.Message("default", "work", (), {}, {})
        taken = self.owned.in_hand[record.offset] = TakenMessage(message, record, self.owned, self.inbox)
        return taken

    def look(self, after_s: float = 0.3, *, in_hand: int = 2) -> None:
        self.now += after_s
        self.passing.look_if_due({MINE: self.owned}, in_hand)

    def note(self) -> None:
        passed = self.inbox.get_nowait()
        assert isinstance(passed, PassedOn)
        self.passing.note(passed)

    def wait_long(self) -> None:
        for _ in range(5):
            self.look()

    def wants_records(self) -> bool:
        return self.passing.wants_records({MINE: self.owned})

    def is_busy(self) -> bool:
        return self.owned.busy

    @property
    def values(self) -> list[bytes]:
        return [record.value for record, _ in self.sent]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def record(offset: int, *, key: bytes = b"", **more: Any) -> Consumed:
    message_id = b"id-%d" % offset
    headers = [("message-id", message_id), ("traceparent", b"00-1")]
    more = {"value": b"%d" % offset} | more
    return Consumed("jobs", 0, offset, key=key or message_id, headers=headers, **more)


def test_a_job_that_has_waited_goes_to_a_process_with_a_free_thread_as_it_is(world: World) -> None:
    world.fetch(map(record, range(2)))
    long, short = world.hand_out(), world.hand_out()
    assert long.start()
    world.look()
    world.look(0.9)
    assert world.sent == []
    world.look()
    ((sent, partition),) = world.sent
    assert (sent.key, sent.value, partition) == (b"id-1", b"1", 1)
    assert sent.headers == [*record(1).headers, ("first-origin", b"jobs/0/1")]
    assert not short.start()
    assert world.owned.is_running, "a revoke waits until it is confirmed"
    world.futures[0].calls["callback"](None)
    passed = world.inbox.get_nowait()
    assert isinstance(passed, PassedOn)
    world.passing.note(passed)
    assert world.owned.ledger.progress() == Progress((0,), 2)


def test_what_is_behind_it_follows_and_the_other_process_is_given_more_each_time(world: World) -> None:
    world.fetch(map(record, range(40)))
    assert world.hand_out().start()
    world.hand_out()
    world.wait_long()
    world.wait_long()
    assert world.values == [b"%d" % number for number in range(1, 1 + len(world.sent))]
    assert len(world.sent) == 39


def test_jobs_that_start_soon_stay_and_nobody_is_asked(world: World) -> None:
    world.fetch(map(record, range(40)))
    for _ in range(10):
        job = world.hand_out()
        assert job.start()
        world.look(in_hand=1)
        world.owned.done(job.record.offset)
    assert (world.asked, world.sent) == (0, [])


def test_a_job_with_a_key_stays_with_all_behind_it(world: World) -> None:
    world.fetch([record(0), record(1), record(2, key=b"user:42"), record(3)])
    assert world.hand_out().start()
    world.hand_out()
    world.wait_long()
    world.wait_long()
    assert world.values == [b"1"]
    assert [each.offset for each in world.owned.buffer] == [2, 3]


def test_large_jobs_that_have_to_stay_do_not_fill_the_memory(world: World) -> None:
    """A poll stops at its own bound of bytes; without one here, polls would follow up to 500 records."""
    world.fetch(map(record, range(2)))
    assert world.hand_out().start()
    world.hand_out()
    world.wait_long()
    polls = 0
    while world.wants_records():
        polls += 1
        world.fetch(record(2 + 16 * polls + n, key=b"user:42", value=LARGE) for n in range(16))
        world.look()
    assert polls == 1
    assert world.values == [b"1"]


def test_large_jobs_on_their_way_do_not_fill_the_memory(world: World) -> None:
    world.fetch([record(0), *(record(1 + n, value=LARGE) for n in range(17))])
    assert world.hand_out().start()
    world.hand_out()
    world.wait_long()
    world.wait_long()
    assert len(world.sent) == 17
    assert not world.owned.buffer
    assert not world.wants_records()
    for future in world.futures[:2]:
        future.calls["callback"](None)
        world.note()
    assert world.wants_records()


def test_a_batch_that_cannot_be_read_and_a_tombstone_stay(world: World) -> None:
    for stays in (record(1, unreadable="no such codec"), Consumed("jobs", 0, 1, value=None)):
        world.owned.buffer.clear()
        world.fetch([stays])
        world.look(in_hand=2)
        world.wait_long()
    assert world.asked
    assert world.sent == []


def test_a_job_that_may_have_killed_its_process_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, CrashCounts(deaths={1: 1}))
    world.fetch(map(record, range(4)))
    assert world.hand_out().start()
    world.hand_out()
    world.wait_long()
    world.wait_long()
    assert world.values == [b"2", b"3"]


def test_a_job_that_runs_here_already_stays(world: World) -> None:
    world.fetch(map(record, range(2)))
    assert world.hand_out().start()
    job = TakenMessage(dramatiq.Message("default", "work", (), {}, {}), record(1), world.owned, world.inbox)
    world.running_earlier.leave(MINE, {1: job})
    world.earlier.expect(MINE)
    world.wait_long()
    assert world.sent == []


def test_nobody_free_is_asked_for_less_and_less_often(world: World) -> None:
    world.commit = BUSY
    world.fetch(map(record, range(2)))
    assert world.hand_out().start()
    short = world.hand_out()
    for _ in range(200):
        world.look()
    assert 8 <= world.asked <= 14, "a minute"
    assert world.sent == []
    assert short.start(), "it was not taken back"


def test_a_busy_process_says_so_until_a_thread_takes_out_what_was_taken_back(world: World) -> None:
    world.fetch(map(record, range(2)))
    assert world.hand_out().start()
    short = world.hand_out()
    world.wait_long()
    assert world.is_busy()
    assert world.wants_records()
    world.look(in_hand=1)
    assert world.is_busy()
    assert not short.start()
    short.ack()
    world.look(in_hand=1)
    assert not world.is_busy()
    assert not world.wants_records()


def test_no_commits_are_read_while_the_group_settles(world: World) -> None:
    """Kafka would answer after the join only."""
    world.is_joining = True
    world.fetch(map(record, range(2)))
    assert world.hand_out().start()
    world.hand_out()
    world.wait_long()
    assert world.asked == 0


def test_a_job_that_has_moved_before_keeps_its_first_origin(world: World) -> None:
    moved = record(1)
    moved.headers = [*moved.headers, ("first-origin", b"jobs/7/8")]
    world.fetch([record(0), moved])
    assert world.hand_out().start()
    world.hand_out()
    world.wait_long()
    assert [sent.headers for sent, _ in world.sent] == [moved.headers]


def test_a_job_that_is_too_large_as_it_was_read_stays(world: World) -> None:
    large = record(1)
    large.value = b"x" * (MAX_JOB_BYTES + RETRY_ROOM_BYTES)
    world.fetch([record(0), large])
    assert world.hand_out().start()
    world.hand_out()
    world.wait_long()
    assert world.asked
    assert world.sent == []


def test_a_process_that_is_known_to_be_dead_gets_none(world: World) -> None:
    world.dead.add("other")
    world.fetch(map(record, range(2)))
    assert world.hand_out().start()
    world.hand_out()
    world.wait_long()
    assert world.asked
    assert world.sent == []


@pytest.mark.parametrize("fails", ["at once", "later"])
def test_a_job_that_could_not_be_passed_on_is_the_next_to_run_here(
    world: World, fails: str, caplog: pytest.LogCaptureFixture
) -> None:
    world.fetch(map(record, range(2)))
    assert world.hand_out().start()
    withdrawn = world.hand_out()
    if fails == "at once":
        world.refusal = KafkaUnreachable("away")
    world.wait_long()
    if fails == "later":
        world.futures[0].calls["errback"](KafkaUnreachable("away"))
    world.note()
    assert "jobs not passed on, they stay topic=jobs partition=1: away" in caplog.text
    assert len(caplog.records) == 1
    assert world.owned.in_hand.keys() == {0}
    assert world.owned.ledger.progress() == Progress((0, 1), 2)
    assert not withdrawn.start()
    again = world.hand_out()
    assert again.record.offset == 1
    assert again.start()
    assert world.owned.done(1)
    assert world.owned.ledger.progress() == Progress((0,), 2)


def test_a_partition_that_could_not_be_written_gets_no_jobs_for_a_while(world: World) -> None:
    world.fetch(map(record, range(2)))
    assert world.hand_out().start()
    world.hand_out()
    world.refusal = KafkaUnreachable("away")
    world.wait_long()
    world.note()
    world.refusal = None
    world.look()
    world.hand_out()
    world.look(20)
    world.look()
    assert world.sent == []
    world.look(10)
    assert world.values == [b"1"]


def test_a_job_whose_partition_has_gone_is_left_to_the_next_owner(world: World) -> None:
    world.fetch(map(record, range(2)))
    assert world.hand_out().start()
    world.hand_out()
    world.refusal = KafkaUnreachable("away")
    world.wait_long()
    world.owned.close()
    world.note()
    assert list(world.owned.in_hand) == [0]
    assert world.owned.take(world.now) is None
    assert world.owned.ledger.progress() == Progress((0, 1), 2)
