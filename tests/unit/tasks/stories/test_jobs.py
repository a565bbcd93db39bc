"""How many searches for jobs go on at once; that they find jobs is tested on a real Kafka."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tasks.stories import jobs
from tasks.stories.jobs import JobSearch
from tasks.stories.story import Jobs
from tests.helpers.records import Consumed
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.dead_letters.letter import DeadLetter, Origin, Reason
from workers.dead_letters.reader import Entry
from workers.delays import waiting_jobs
from workers.delays.waiting_jobs import DelayedJob

UNKNOWN, NONE = Jobs(is_complete=False), Jobs([], [])


class SlowKafka:
    """Dead letters whose reading goes on until it may end."""

    def __init__(self) -> None:
        self.may_end = threading.Event()
        self.reading = threading.Semaphore(0)

    def unresolved(self, *_: object) -> Iterator[None]:
        self.reading.release()
        assert self.may_end.wait(30)
        yield from ()


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowKafka]:
    kafka = SlowKafka()
    monkeypatch.setattr(jobs, "unresolved", kafka.unresolved)
    monkeypatch.setattr(waiting_jobs, "read", lambda *_: ())
    yield kafka
    kafka.may_end.set()


@pytest.fixture
def make_search() -> Callable[[float], JobSearch]:
    broker = KafkaBroker(Cluster(("127.0.0.1:1",)), namespace="t")
    return lambda limit_s: JobSearch(broker, limit_s=limit_s)


def test_a_search_that_finds_no_place_is_answered_at_once(
    kafka: SlowKafka, make_search: Callable[[float], JobSearch]
) -> None:
    search = make_search(30)
    with ThreadPoolExecutor() as askers:
        both = [askers.submit(search.find, ["a"]) for _ in range(2)]
        assert all(kafka.reading.acquire(timeout=10) for _ in both)
        assert askers.submit(search.find, ["a"]).result(10) == UNKNOWN
        kafka.may_end.set()
        assert [one.result(10) for one in both] == [NONE, NONE]
    assert wait_for(lambda: search.find(["a"]) == NONE)


def test_jobs_of_another_program_whose_time_is_none_are_found_with_the_nearest(
    monkeypatch: pytest.MonkeyPatch, make_search: Callable[[float], JobSearch]
) -> None:
    numbers = (-(10**18), 10**18)
    letters = [
        DeadLetter(Reason.FAILED, Origin("jobs", 0, 7, 1_000), b"", ms, "g", message_id="a") for ms in numbers
    ]
    delayed = [DelayedJob(ms, "mail", "send", "a", "1m", Consumed()) for ms in numbers]
    monkeypatch.setattr(jobs, "unresolved", lambda *_: [Entry(letter, Consumed()) for letter in letters])
    monkeypatch.setattr(waiting_jobs, "read", lambda *_: delayed)
    found = make_search(30).find(["a"])
    assert [one.at.year for one in found.given_up] == [1970, 9998]
    assert [one.due.year for one in found.waiting] == [1970, 9998]


def test_a_search_whose_answer_nobody_awaits_keeps_its_place_until_it_ends(
    kafka: SlowKafka, make_search: Callable[[float], JobSearch]
) -> None:
    search = make_search(0)
    assert [search.find(["a"]) for _ in range(3)] == [UNKNOWN] * 3
    assert all(kafka.reading.acquire(timeout=10) for _ in range(2))
    assert not kafka.reading.acquire(blocking=False)
