"""The ledger: what may be committed while jobs finish in any order."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.offsets import Ledger, PartitionLedger, Ticket


def ledger_with(*offsets: int) -> PartitionLedger:
    ledger = PartitionLedger(epoch=1, position=offsets[0])
    for offset in offsets:
        ledger.receive(offset)
    return ledger


def test_position_is_the_lowest_offset_that_is_not_done() -> None:
    ledger = ledger_with(5, 6, 7)
    ledger.done(7)
    ledger.done(6)
    assert ledger.position == 5
    ledger.done(5)
    assert ledger.position == 8


def test_offsets_that_the_log_skips_count_as_done() -> None:
    ledger = ledger_with(0, 4, 9)
    ledger.done(0)
    assert ledger.position == 4
    ledger.done(4)
    ledger.done(9)
    assert ledger.position == 10


def test_a_repeated_or_unknown_ack_changes_nothing() -> None:
    ledger = ledger_with(0, 1)
    assert ledger.done(0)
    assert not ledger.done(0)
    assert not ledger.done(17)
    assert (ledger.position, ledger.open_count) == (1, 1)


def test_an_offset_cannot_be_received_twice() -> None:
    ledger = ledger_with(3)
    with pytest.raises(ValueError, match="3"):
        ledger.receive(3)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=60), st.data())
def test_position_never_passes_an_undone_offset_and_ends_behind_the_last(
    steps: list[int], data: st.DataObject
) -> None:
    offsets = list(itertools.accumulate(steps))
    ledger = PartitionLedger(epoch=1, position=0)
    waiting: list[int] = []
    received = iter(offsets)
    while True:
        if not waiting or data.draw(st.booleans()):
            offset = next(received, None)
            if offset is None and not waiting:
                break
            if offset is not None:
                ledger.receive(offset)
                waiting.append(offset)
                continue
        waiting.remove(done := data.draw(st.sampled_from(waiting)))
        before = ledger.position
        assert ledger.done(done)
        assert before <= ledger.position
        assert ledger.position == (min(waiting) if waiting else ledger.next_offset)
    assert ledger.position == offsets[-1] + 1


@pytest.fixture
def ledger() -> Ledger[str]:
    return Ledger(itertools.count(1))


def test_only_moved_positions_are_uncommitted(ledger: Ledger[str]) -> None:
    ledger.assign("a", 10)
    ledger.assign("b", 0)
    ticket = ledger.receive("a", 10)
    assert ledger.uncommitted() == {}
    ledger.done(ticket)
    assert ledger.uncommitted() == {"a": 11}
    ledger.committed({"a": 11})
    assert ledger.uncommitted() == {}


def test_a_late_answer_to_an_older_commit_does_not_move_back(ledger: Ledger[str]) -> None:
    ledger.assign("a", 0)
    for ticket in [ledger.receive("a", offset) for offset in range(3)]:
        ledger.done(ticket)
    ledger.committed({"a": 3})
    ledger.committed({"a": 1, "gone": 5})
    assert ledger.uncommitted() == {}


def test_tickets_of_a_partition_that_was_taken_away_are_void(ledger: Ledger[str]) -> None:
    ledger.assign("a", 0)
    ticket = ledger.receive("a", 0)
    ledger.revoke("a")
    ledger.revoke("never assigned")
    assert "a" not in ledger
    assert not ledger.done(ticket)

    ledger.assign("a", 0)
    again = ledger.receive("a", 0)
    assert not ledger.is_current(ticket)
    assert not ledger.done(ticket)
    assert ledger.uncommitted() == {}
    assert ledger.done(again)


def test_ledgers_that_share_their_epochs_do_not_take_each_others_tickets() -> None:
    epochs = itertools.count(1)
    first, second = Ledger[str](epochs), Ledger[str](epochs)
    first.assign("a", 0)
    second.assign("a", 0)
    ticket = first.receive("a", 0)
    second.receive("a", 0)
    assert not second.done(ticket)
    assert not second.done(Ticket("unknown", 1, 0))
