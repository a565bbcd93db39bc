"""The events of a todo add up: in any order, by the log where clocks differ, in another time zone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from tasks.events.models import TodoEvent
from tasks.reminders.known_todo import KnownTodo, learn, todo_of
from tasks.reminders.plans import plans
from tasks.reminders.seen_events import MAX_SEEN, SeenEvent
from tests.helpers.samples import KINDS, a_todo, an_event, an_owner

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
DUE = datetime(2026, 6, 5, 7, 0, tzinfo=UTC)  # 09:00 in Berlin
BERLIN, TOKYO, LONDON = "Europe/Berlin", "Asia/Tokyo", "Europe/London"
DAILY: dict[str, Any] = {"recurrence": "FREQ=DAILY"}


def event(
    kind: str = "todo.created",
    *,
    minute: float = 0,
    at: tuple[int, int] | None = None,
    written: float | None = None,
    number: int | None = None,
    zone: str = BERLIN,
    changes: dict[str, Any] | None = None,
    **todo: Any,
) -> TodoEvent:
    """An event of a minute after noon, by its publisher's clock; ``at`` is its partition and offset."""
    given: dict[str, Any] = {"due": DUE, "reminders": ["-1h"], "owner": an_owner(time_zone=zone)}
    more: dict[str, Any] = {"changes": changes} if changes else {}
    if number is not None:
        more["event_id"] = UUID(int=number)
    if at is not None:
        written_ms = int(
            (NOON + timedelta(minutes=minute if written is None else written)).timestamp() * 1000
        )
        more["log_position"] = {"partition": at[0], "offset": at[1], "written_ms": written_ms}
    time = NOON + timedelta(minutes=minute)
    return an_event(kind, time=time, todo=a_todo(**given | todo), **more)


def known(*events: TodoEvent) -> KnownTodo:
    found: KnownTodo | None = None
    for each in events:
        found = learn(found, each)
    assert found is not None
    return found


def due_of(todo: KnownTodo) -> str:
    due = todo_of(todo.todo).due
    assert due is not None
    return due.isoformat()


def local(time: str, zone: str) -> str:
    return datetime.fromisoformat(time).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).isoformat()


def test_a_clock_that_is_ahead_does_not_reopen_what_was_completed_behind_it_in_the_log() -> None:
    created, completed = event(minute=5, at=(0, 1), written=0), event("todo.completed", minute=2, at=(0, 2))
    assert not known(created, completed).is_open
    assert not known(completed, created).is_open
    assert plans(known(completed, created)) == {}


def test_an_event_of_2062_is_older_than_what_follows_it_in_the_log() -> None:
    far = event(minute=36 * 525_600, at=(0, 1), written=0)
    moved = event("todo.updated", minute=3, at=(0, 2), due=DUE + timedelta(days=1))
    assert due_of(known(far, moved)) == due_of(known(moved, far)) == (DUE + timedelta(days=1)).isoformat()


def test_a_todo_that_is_created_again_behind_its_end_is_open_again() -> None:
    assert known(event("todo.completed", minute=2, at=(0, 1)), event(minute=1, at=(0, 2))).is_open


def test_across_partitions_and_without_a_log_times_decide() -> None:
    for created, completed in (((0, 9), (1, 1)), (None, (1, 1)), ((0, 9), None), (None, None)):
        events = event(minute=1, at=created), event("todo.completed", minute=2, at=completed)
        assert not known(*events).is_open
        assert not known(*reversed(events)).is_open


def test_an_event_that_is_published_again_counts_from_its_first_place() -> None:
    first = event("todo.updated", minute=1, at=(0, 1), number=1, due=DUE + timedelta(hours=1))
    second = event("todo.updated", minute=2, at=(0, 2), number=2, due=DUE + timedelta(hours=2))
    again = event("todo.updated", minute=1, at=(0, 3), written=3, number=1, due=DUE + timedelta(hours=1))
    for order in ((first, second, again), (again, second, first), (second, again, first)):
        assert due_of(known(*order)) == (DUE + timedelta(hours=2)).isoformat()


def test_a_log_that_was_made_again_counts_from_zero() -> None:
    old = event(minute=0, at=(0, 50_000))
    new = event("todo.completed", minute=600, at=(0, 3))
    assert not known(old, new).is_open
    assert not known(new, old).is_open


places = st.one_of(st.none(), st.tuples(st.integers(0, 1), st.integers(0, 30)))


@st.composite
def lives(draw: st.DrawFn) -> list[TodoEvent]:
    """Events of one todo, whose publishers' clocks are up to an hour apart."""
    count = draw(st.integers(1, 8))
    found = []
    taken = set()
    for number in range(count):
        place = draw(places.filter(lambda place: place is None or place not in taken))
        taken.add(place)
        minute = draw(st.integers(0, 60))
        written = place[1] if place else None
        due = DUE + timedelta(hours=draw(st.integers(0, 2)))
        kind = draw(st.sampled_from(KINDS))
        zone = draw(st.sampled_from([BERLIN, TOKYO]))
        found.append(
            event(
                kind,
                minute=minute,
                at=place,
                written=written,
                number=number,
                due=due,
                zone=zone,
                recurrence="FREQ=DAILY",
            )
        )
    return found


@given(lives(), st.data())
def test_the_same_events_give_the_same_in_any_order_and_however_often_they_come(
    events: list[TodoEvent], data: st.DataObject
) -> None:
    expected = known(*events)
    order = data.draw(st.permutations([*events, *events]))
    found = known(*order)
    assert [str(each) for each in found.events] == [str(each) for each in expected.events]
    assert (found.is_open, found.since, found.todo) == (expected.is_open, expected.since, expected.todo)


@given(lives())
def test_what_is_stored_is_what_was_known(events: list[TodoEvent]) -> None:
    found = known(*events)
    assert KnownTodo(tuple(SeenEvent(**each.as_json()) for each in found.events)) == found


def test_a_series_keeps_its_time_of_day_when_its_owner_moves() -> None:
    created = event(minute=0, **DAILY)
    moved = event("todo.updated", minute=1, zone=TOKYO, **DAILY)
    renamed = event("todo.updated", minute=2, zone=TOKYO, title="New", **DAILY)
    for order in ((created, moved, renamed), (renamed, created, moved)):
        assert due_of(known(*order)) == local("2026-06-05 09:00", TOKYO)
        (plan,) = plans(known(*order)).values()
        assert (plan.due.isoformat(), plan.zone) == (local("2026-06-05 09:00", TOKYO), TOKYO)


def test_a_series_that_is_moved_twice_keeps_the_time_of_day_that_it_was_set_to() -> None:
    life = [event(minute=number, zone=zone, **DAILY) for number, zone in enumerate((BERLIN, TOKYO, LONDON))]
    assert due_of(known(*life)) == local("2026-06-05 09:00", LONDON)
    set_anew = event("todo.updated", minute=3, zone=LONDON, due=DUE + timedelta(hours=3), **DAILY)
    assert due_of(known(*life, set_anew)) == (DUE + timedelta(hours=3)).isoformat()


def test_who_sets_a_new_due_time_in_the_new_zone_means_that_time() -> None:
    changed = event("todo.updated", minute=1, zone=TOKYO, due=DUE + timedelta(hours=1), **DAILY)
    assert due_of(known(event(**DAILY), changed)) == (DUE + timedelta(hours=1)).isoformat()


def test_the_zone_before_is_taken_from_the_update_where_what_was_before_is_not_known() -> None:
    owners = {"before": an_owner(time_zone=BERLIN), "after": an_owner(time_zone=TOKYO)}
    moved = event(
        "todo.updated",
        zone=TOKYO,
        recurrence="FREQ=DAILY",
        changes={"owner": {side: owner.model_dump(mode="json") for side, owner in owners.items()}},
    )
    assert due_of(known(moved)) == local("2026-06-05 09:00", TOKYO)


def test_a_due_time_without_recurrence_is_a_moment_and_stays() -> None:
    assert due_of(known(event(), event("todo.updated", minute=1, zone=TOKYO))) == DUE.isoformat()


def test_of_very_many_events_the_oldest_are_forgotten_but_not_what_decides() -> None:
    life = [event(minute=0, at=(0, 0), **DAILY), event("todo.completed", minute=1, at=(0, 1), **DAILY)]
    life += [
        event("todo.updated", minute=2 + number, at=(0, 2 + number), zone=TOKYO, **DAILY)
        for number in range(3 * MAX_SEEN)
    ]
    found = known(*life)
    assert len(found.events) == MAX_SEEN
    assert not found.is_open
    assert due_of(found) == local("2026-06-05 09:00", TOKYO)
    assert sum(each.todo is not None for each in found.events) <= 4


def test_events_of_before_the_log_counted_are_told_by_their_times() -> None:
    old = SeenEvent.parse("2026-06-01T12:00:00.000000 2 " + str(UUID(int=7)))
    assert old.is_closing
    found = known(event(minute=1, at=(0, 1)))
    reopened = KnownTodo((replace(old, todo=found.todo), *found.events))
    assert reopened.is_open
