"""Threads that share transactions: batches, errors, and the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tasks.storage.group_commit import GroupCommit
from tests.helpers.waiting import wait_for

THREADS = 8


class Down(Exception):
    """Concerns every item of a batch."""


class Squares:
    """Commits numbers; a batch waits for the gate."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.batches: list[list[int]] = []
        self.is_down = False
        self.group = GroupCommit(self.commit, concerns_all=Down, max_size=6)

    def commit(self, numbers: Sequence[int]) -> list[int]:
        self.batches.append(list(numbers))
        assert self.gate.wait(30)
        if self.is_down:
            raise Down
        if any(number < 0 for number in numbers):
            raise ValueError(f"negative: {numbers}")
        return [number**2 for number in numbers]


@pytest.fixture
def squares() -> Iterator[Squares]:
    squares = Squares()
    yield squares
    squares.group.close()


def submitted_while_busy(squares: Squares, numbers: list[int], pool: ThreadPoolExecutor) -> list[Future[int]]:
    """Submit the first alone, and the others while its commit is under way."""
    squares.gate.clear()
    first = pool.submit(squares.group.submit, numbers[0])
    wait_for(lambda: squares.batches)
    futures = [first]
    for waiting, number in enumerate(numbers[1:], 1):
        futures.append(pool.submit(squares.group.submit, number))
        wait_for(lambda n=waiting: squares.group.waiting == n)  # type: ignore[misc]
    return futures


def test_what_comes_while_a_batch_is_committed_is_the_next_batch(squares: Squares) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        futures = submitted_while_busy(squares, list(range(THREADS)), pool)
        squares.gate.set()
        assert [future.result(30) for future in futures] == [number**2 for number in range(THREADS)]
    # No more than the maximum at once.
    assert squares.batches == [[0], [1, 2, 3, 4, 5, 6], [7]]


def test_only_what_is_wrong_fails(squares: Squares) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        futures = submitted_while_busy(squares, [1, 2, -3, 4], pool)
        squares.gate.set()
        assert [futures[place].result(30) for place in (0, 1, 3)] == [1, 4, 16]
        with pytest.raises(ValueError, match=r"negative: \[-3\]"):
            futures[2].result(30)


def test_what_concerns_all_is_tried_once_and_raised_in_all(squares: Squares) -> None:
    squares.is_down = True
    with ThreadPoolExecutor(THREADS) as pool:
        futures = submitted_while_busy(squares, [1, 2, 3], pool)
        squares.gate.set()
        assert [type(future.exception(10)) for future in futures] == [Down] * 3
    assert squares.batches == [[1], [2, 3]]
    squares.is_down = False
    assert squares.group.submit(5) == 25


def test_it_can_be_closed_and_used_again(squares: Squares) -> None:
    assert squares.group.submit(2) == 4
    squares.group.close()
    assert "group-commit" not in {thread.name for thread in threading.enumerate()}
    assert squares.group.submit(3) == 9


def test_a_thread_that_cannot_be_started_holds_up_no_later_item(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    squares = Squares()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", fail)
        with pytest.raises(RuntimeError, match="new thread"):
            squares.group.submit(2)
        squares.group.close()
    assert squares.group.submit(3) == 9
    squares.group.close()
    assert squares.batches == [[3]]
