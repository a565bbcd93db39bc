"""Which row a relay may write next: the order of each key is kept, whatever fails, and nothing is stuck."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from hypothesis import given
from hypothesis import strategies as st

from workers.outbox.in_hand import MAX_BYTES, InHand, Row


def a_row(number: int, key: str | None = "todo-1", *, topic: str = "events", size: int = 100) -> Row:
    """A row; without a key, one that is in no order."""
    name = (key or str(number)).encode()
    return Row(number, topic, name, key is not None, b"value", "[]", f"id-{number}", "todo.created", size, 0)


def taken(in_hand: InHand, now: float = 0.0) -> list[int]:
    """The numbers of all rows that may be written now."""

    def rows() -> Iterator[int]:
        while (row := in_hand.take(now)) is not None:
            yield row.id

    return list(rows())


def test_rows_of_one_key_go_one_after_the_other_and_others_beside_them() -> None:
    in_hand = InHand()
    in_hand.add([a_row(1), a_row(2), a_row(3, "todo-2"), a_row(4, None), a_row(5, None)])
    assert taken(in_hand) == [1, 3, 4, 5]
    in_hand.done(1)
    assert taken(in_hand) == [2]


def test_the_next_row_goes_while_the_one_before_it_is_written_but_not_deleted() -> None:
    in_hand = InHand(max_rows=2, max_bytes=1_000)
    in_hand.add([a_row(1), a_row(2)])
    assert taken(in_hand) == [1]
    in_hand.written(1)
    assert taken(in_hand) == [2]
    assert (in_hand.ids, in_hand.room, in_hand.free_bytes) == ([1, 2], 0, 800)
    in_hand.add([a_row(1)])
    in_hand.forget([1])
    assert (in_hand.ids, in_hand.room, in_hand.free_bytes) == ([2], 1, 900)
    assert taken(in_hand) == []


def test_the_same_key_of_two_topics_is_two_orders() -> None:
    in_hand = InHand()
    in_hand.add([a_row(1), a_row(2, topic="jobs")])
    assert taken(in_hand) == [1, 2]


def test_a_row_that_comes_late_goes_before_those_with_higher_numbers() -> None:
    in_hand = InHand()
    in_hand.add([a_row(5), a_row(7)])
    assert taken(in_hand) == [5]
    in_hand.add([a_row(6), a_row(5)])
    in_hand.done(5)
    assert taken(in_hand) == [6]


def test_rows_wait_for_the_one_that_failed() -> None:
    in_hand = InHand()
    in_hand.add([a_row(1), a_row(2), a_row(3, "todo-2")])
    assert taken(in_hand) == [1, 3]
    in_hand.again(1, at=5.0)
    assert in_hand.due_in(2.0) == 3.0
    assert taken(in_hand, now=4.9) == []
    assert taken(in_hand, now=5.0) == [1]
    assert in_hand.due_in(5.0) is None


def test_a_refused_row_is_written_alone_before_it_counts_as_refused() -> None:
    in_hand = InHand()
    in_hand.add([a_row(1), a_row(2), a_row(3, "todo-2"), a_row(4, "todo-3")])
    assert taken(in_hand) == [1, 3, 4]
    assert not in_hand.refused(1)
    assert taken(in_hand) == []  # others are under way
    in_hand.done(3)
    in_hand.done(4)
    assert taken(in_hand) == [1]
    assert in_hand.refused(1)
    in_hand.done(1)
    assert taken(in_hand) == [2]


def test_a_row_that_was_refused_for_a_neighbour_is_done_like_any_other() -> None:
    in_hand = InHand()
    in_hand.add([a_row(1), a_row(2)])
    taken(in_hand)
    in_hand.refused(1)
    assert taken(in_hand) == [1]
    in_hand.done(1)
    assert taken(in_hand) == [2]
    assert not in_hand.refused(2)


def test_a_topic_is_held_with_all_its_rows_and_others_go_on() -> None:
    in_hand = InHand()
    in_hand.add([a_row(1, topic="gone"), a_row(2, topic="gone"), a_row(3, "todo-2"), a_row(4, "todo-2")])
    assert taken(in_hand) == [1, 3]
    in_hand.hold(1, until=5.0)
    assert (in_hand.ids, in_hand.held_topics(4.0), in_hand.held_topics(5.0)) == ([3, 4], ["gone"], [])
    in_hand.add([a_row(1, topic="gone")])
    assert taken(in_hand) == [1]


def test_there_is_room_again_when_half_of_the_rows_are_gone() -> None:
    in_hand = InHand(max_rows=4, max_bytes=1_000)
    in_hand.add([a_row(number, None) for number in range(1, 4)])
    assert (in_hand.room, in_hand.free_bytes) == (0, 700)
    taken(in_hand)
    in_hand.done(1)
    assert in_hand.room == 2
    in_hand.add([a_row(9, None, size=900)])
    assert (in_hand.room, in_hand.free_bytes) == (0, 0)


def test_rows_that_failed_and_those_behind_them_leave_the_room_to_others() -> None:
    in_hand = InHand(max_rows=4, max_bytes=1_000)
    in_hand.add([a_row(1), a_row(2), a_row(3, "todo-2"), a_row(4, "todo-3", size=500)])
    assert taken(in_hand) == [1, 3, 4]
    assert (in_hand.room, in_hand.free_bytes) == (0, 200)
    for number in (1, 3, 4):
        in_hand.again(number, at=5.0)
    in_hand.add([a_row(5)])
    assert (in_hand.room, in_hand.free_bytes) == (4, 1_000)
    in_hand.add([a_row(6, "todo-4")])
    assert taken(in_hand) == [6]
    assert in_hand.room == 3
    # Those that failed are tried two at a time, and count again as soon as their turn works.
    assert taken(in_hand, now=5.0) == [1, 3]
    assert in_hand.due_in(5.0) is None
    in_hand.done(1)
    assert in_hand.room == 0
    assert taken(in_hand, now=5.0) == [2, 4]


def test_there_is_a_bound_to_the_rows_that_failed() -> None:
    in_hand = InHand(max_rows=4, max_failed_rows=3)
    for number in range(1, 4):
        assert in_hand.room == 4
        in_hand.add([a_row(number, None)])
        assert taken(in_hand) == [number]
        in_hand.again(number, at=5.0)
    assert in_hand.room == 0
    assert taken(in_hand, now=5.0) == [1, 2]
    in_hand.done(1)
    assert in_hand.room == 4


def test_rows_that_failed_are_forgotten_with_their_topic() -> None:
    in_hand = InHand(max_rows=4)
    in_hand.add([a_row(1), a_row(2), a_row(3, "todo-2")])
    assert taken(in_hand) == [1, 3]
    in_hand.again(1, at=5.0)
    in_hand.hold(3, until=9.0)
    assert (in_hand.ids, in_hand.room) == ([], 4)
    in_hand.add([a_row(number, None) for number in range(4, 8)])
    assert in_hand.room == 0


def test_nothing_is_due_while_a_refused_row_has_to_be_alone() -> None:
    in_hand = InHand()
    in_hand.add([a_row(1), a_row(2, "todo-2"), a_row(3, "todo-3")])
    assert taken(in_hand) == [1, 2, 3]
    in_hand.again(1, at=5.0)
    in_hand.refused(2)
    assert (taken(in_hand, now=6.0), in_hand.due_in(6.0)) == ([], None)
    in_hand.done(3)
    assert (taken(in_hand, now=6.0), in_hand.due_in(6.0)) == ([2], None)
    in_hand.done(2)
    assert in_hand.due_in(6.0) == 0.0
    assert taken(in_hand, now=6.0) == [1]


_KEYS = st.sampled_from(["a", "b", None])
_STEPS = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 9)), max_size=80)


class _Relayed:
    """Writes rows, and has some fail, as a relay would."""

    def __init__(self) -> None:
        self.in_hand = InHand(max_rows=4)
        self.now = 0.0
        self.under_way: list[Row] = []
        self.undeleted: list[int] = []
        self.written: dict[Hashable, list[int]] = {}

    def write(self) -> None:
        while (row := self.in_hand.take(self.now)) is not None:
            assert row.turn not in {other.turn for other in self.under_way}
            self.under_way.append(row)

    def confirm(self, row: Row) -> None:
        self.under_way.remove(row)
        self.written.setdefault(row.turn, []).append(row.id)
        self.in_hand.written(row.id)
        self.undeleted.append(row.id)

    def delete(self) -> None:
        self.in_hand.forget(self.undeleted)
        self.undeleted = []

    def fail(self, row: Row) -> None:
        self.under_way.remove(row)
        self.in_hand.again(row.id, self.now + 3)

    def refuse(self, row: Row) -> None:
        if not self.in_hand.refused(row.id):
            self.under_way.remove(row)

    def answer(self, kind: int, choice: int) -> None:
        if self.under_way:
            row = self.under_way[choice % len(self.under_way)]
            (self.confirm, self.fail, self.refuse)[kind % 3](row)


@given(keys=st.lists(_KEYS, min_size=1, max_size=12), steps=_STEPS)
def test_whatever_happens_the_first_writes_of_a_key_are_in_order_and_all_are_written(
    keys: list[str | None], steps: list[tuple[int, int]]
) -> None:
    relayed = _Relayed()
    unread = [a_row(number, key) for number, key in enumerate(keys, 1)]
    for kind, choice in steps:
        relayed.now += choice
        if kind == 0:
            relayed.in_hand.add(unread[:1])
            del unread[:1]
        elif kind == 1:
            relayed.write()
        elif kind == 2:
            relayed.delete()
        else:
            relayed.answer(kind, choice)
    relayed.in_hand.add(unread)
    relayed.delete()
    while len(relayed.in_hand):
        relayed.now += 10
        relayed.write()
        assert relayed.under_way
        relayed.confirm(relayed.under_way[0])
        relayed.delete()
    assert (relayed.in_hand.room, relayed.in_hand.free_bytes) == (4, MAX_BYTES)
    numbers = [number for written in relayed.written.values() for number in written]
    assert sorted(numbers) == [*range(1, len(keys) + 1)]
    assert all(written == sorted(written) for written in relayed.written.values())
